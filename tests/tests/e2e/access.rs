//! What runs of a workspace inherit: variables and access, with the real terraform.

use serde_json::json;
use tests::{Backend, Dev, Project};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_gets_what_is_above_its_workspace_and_shows_no_secret() {
    let dev = Dev::start();
    let api = dev.api();
    let project = Project::new(&dev);
    project.backend(Backend::Cloud, "inherits").write(
        "main.tf",
        r#"
variable "size" { type = string }
variable "region" { type = string }
resource "terraform_data" "seen" {
  input = "${var.size} ${var.region}"
  provisioner "local-exec" {
    command = <<-EOT
      echo "subject $(cut -d. -f2 "$AWS_WEB_IDENTITY_TOKEN_FILE" | tr _- /+ | base64 -d 2>/dev/null | sed 's/.*"sub":"//; s/".*//')"
      echo "mode $(stat -c %a "$AWS_WEB_IDENTITY_TOKEN_FILE")"
      echo "whole $(cat "$AWS_WEB_IDENTITY_TOKEN_FILE")"
      echo "key $CLOUD_KEY"
      echo "place $AWS_WEB_IDENTITY_TOKEN_FILE"
    EOT
  }
}
"#,
    );
    project.ok(&["init"]);
    let workspace = api.workspace(&dev.facts.environment, "inherits").await.id();
    let variable = |key: &str, value: &str, last_word: bool| {
        json!({ "data": { "type": "vars", "attributes": { "key": key, "value": value,
            "category": "terraform", "final": last_word } } })
    };
    let of_environment = format!("organizations/{}/vars", dev.facts.environment);
    let of_workspace = format!("workspaces/{workspace}/vars");
    api.post("account/vars", variable("size", "small", false))
        .await
        .expect(201);
    api.post(&of_workspace, variable("size", "large", false))
        .await
        .expect(201);
    api.post(&of_workspace, variable("region", "mine", false))
        .await
        .expect(201);
    api.post(&of_environment, variable("region", "eu", true))
        .await
        .expect(201);
    let configuration = |attributes| json!({ "data": { "type": "provider-configurations", "attributes": attributes } });
    let aws = json!({ "name": "aws", "provider": "aws", "method": "oidc", "is-default": true,
        "is-shared": true, "settings": { "role-arn": "arn:aws:iam::1:role/terrane" } });
    api.post("provider-configurations", configuration(aws))
        .await
        .expect(201);
    let key = "cloud-key-that-nobody-sees";
    let own = json!({ "name": "own", "provider": "custom", "is-default": true, "is-shared": true,
        "apply-only": true, "secrets": { "CLOUD_KEY": key } });
    api.post("provider-configurations", configuration(own))
        .await
        .expect(201);

    // A value given for the run is weaker than the last word of the environment.
    let said = project.ok(&["apply", "-auto-approve", "-no-color", "-var", "region=cli"]);
    assert!(said.contains("large eu"), "{said}");
    assert!(
        said.contains(":workspace:inherits:run_phase:apply"),
        "{said}"
    );
    assert!(said.contains("mode 600"), "{said}");
    assert!(!said.contains(key), "{said}");
    assert!(!said.contains("eyJ"), "the token is in the log: {said}");
    // Not the line that says what is executed.
    let printed = |word: &str| {
        let begin = format!("(local-exec): {word} ");
        let line = said.lines().find_map(|line| line.split(&begin).nth(1));
        line.unwrap_or_else(|| panic!("no {word}: {said}")).trim()
    };
    let place = printed("place");
    let place = std::path::Path::new(place);
    assert!(
        place.is_absolute() && !place.exists(),
        "{}",
        place.display()
    );
}
