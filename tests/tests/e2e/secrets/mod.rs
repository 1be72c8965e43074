//! Planted secrets: a value of its own in every place that holds a secret, a whole run, and then a
//! search for all of them in whatever the installation leaves, says and runs, in every encoding. First
//! the search finds what the test leaks on purpose.

mod forms;
mod places;
mod search;

use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use testkit::HttpsServer;
use tests::{Api, Backend, Dev, Options, Project, terrane, wait};

use forms::forms;
use places::{Planted, ROWS, Scene, made, value};
use search::{Search, Text, answers, files, processes};

/// Shows the planted values to terraform, to the state, and to the log in several encodings.
const CONFIGURATION: &str = r#"
variable "planted" {
  type      = string
  sensitive = true
}
resource "terraform_data" "a" {
  input = var.planted
  provisioner "local-exec" {
    command     = "sleep 1; echo \"plain: $V\"; printf 'x%s' \"$V\" | base64 -w0; echo; printf 'xy%s' \"$V\" | base64 -w0; echo; echo \"for URLs: $U\"; echo \"environment: $PLANTED\""
    environment = {
      V = nonsensitive(var.planted)
      U = urlencode(nonsensitive(var.planted))
    }
  }
}
output "planted" {
  value     = var.planted
  sensitive = true
}
"#;

const POLICY: &str = "package terraform\n\nimport rego.v1\n\ndeny contains \"no\" if input.never\n";
const MANIFEST: &str =
    "policy \"never\" {\n  enabled = true\n  enforcement_level = \"hard-mandatory\"\n}\n";

/// A server that may call the one outside.
async fn start(outside: &HttpsServer) -> Dev {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, outside.ca_pem()).unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![
        pair("TERRANE__OUTBOUND__ALLOWED_NETWORKS", "127.0.0.0/8,::1"),
        pair("TERRANE__OUTBOUND__CA_FILE", ca.to_str().unwrap()),
    ];
    Dev::start_with(Options {
        environment,
        ..Options::default()
    })
}

async fn id_of(api: &Api, path: &str) -> String {
    let answer = api.get(path).await.expect(200);
    answer.json["data"][0]["id"].as_str().unwrap().to_owned()
}

/// Kills a process that was only started to be seen.
struct Shown(Child);

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Leaks a value of its own in each encoding and of each kind, and expects it to be found.
async fn leaks_are_found(dev: &Dev, api: &Api, workspace: &str) {
    let leaked = Planted {
        name: "leaked on purpose",
        value: value("leaked"),
        may_be: &[],
    };
    let search = Search::new(std::slice::from_ref(&leaked));
    let directory = dev.scratch().join("leaks");
    std::fs::create_dir(&directory).unwrap();
    for (at, form) in forms(&leaked.value).into_iter().enumerate() {
        let path = directory.join(format!("leak-{at}"));
        let mut bytes = b"before ".to_vec();
        bytes.extend(&form.bytes);
        bytes.extend(b" after");
        std::fs::write(&path, bytes).unwrap();
        let found = search.texts(&files(&directory));
        let here = found
            .iter()
            .any(|it| it.value == leaked.name && it.form == form.name);
        assert!(here, "{} was not found: {found:?}", form.name);
        std::fs::remove_file(path).unwrap();
    }
    std::fs::remove_dir(&directory).unwrap();

    // In rows, in answers, in the audit log, and on a command line.
    let description = json!({ "data": { "type": "workspaces", "attributes": {
        "description": leaked.value } } });
    let path = format!("workspaces/{workspace}");
    api.patch(&path, description).await.expect(200);
    let reason = json!({ "reason": leaked.value });
    api.post(&format!("{path}/actions/lock"), reason)
        .await
        .expect(200);
    api.post(&format!("{path}/actions/unlock"), json!({}))
        .await
        .expect(200);
    let shown = Command::new("sleep")
        .args(["600"])
        .arg0_of(&leaked.value)
        .current_dir(dev.scratch())
        .spawn()
        .unwrap();
    let _shown = Shown(shown);
    let known = [("workspace_id", workspace.to_owned())];
    let mut texts = everything(dev, api, &known).await;
    texts.extend(processes(dev));
    let found = search.texts(&texts);
    for place in [
        "terrane.db",
        "answer to GET /api/v2/workspaces/{workspace_id}",
        "answer to GET /api/v2/audit-export",
        "backup",
        "arguments of",
    ] {
        let here = found.iter().any(|it| it.place.contains(place));
        assert!(
            here,
            "what was leaked in {place:?} was not found: {found:?}"
        );
    }
}

/// Sets the name under which a program appears.
trait Arg0 {
    fn arg0_of(&mut self, name: &str) -> &mut Self;
}

impl Arg0 for Command {
    fn arg0_of(&mut self, name: &str) -> &mut Self {
        std::os::unix::process::CommandExt::arg0(self, name)
    }
}

/// Everything that can be read once a run is over.
async fn everything(dev: &Dev, api: &Api, known: &[(&str, String)]) -> Vec<Text> {
    // Rows as text too: a value may be cut in two by the pages of a database.
    let backup = dev.scratch().join("backup");
    let _ = std::fs::remove_dir_all(&backup);
    let data = dev.facts.data_dir.to_str().unwrap();
    let saved = terrane(
        &["backup", backup.to_str().unwrap(), "--data-dir", data],
        &[],
    );
    assert!(saved.status.success(), "{saved:?}");
    let mut texts = files(dev.scratch());
    texts.extend(answers(api, known).await);
    let csv = api.get("audit-export?format=csv").await.expect(200);
    texts.push(Text::new("answer to GET audit-export as CSV", csv.bytes));
    let metrics = api
        .get_plain(&format!(
            "{}/metrics",
            dev.facts.admin_url.trim_end_matches('/')
        ))
        .await;
    assert!(!metrics.is_empty());
    texts.push(Text::new("metrics", metrics));
    texts
}

/// What the installation itself keeps, and in which file.
fn own(dev: &Dev) -> Vec<Planted> {
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap().trim().to_owned();
    vec![
        Planted {
            name: "installation key",
            value: read(&dev.facts.data_dir.join("installation.key")),
            may_be: &["/data/installation.key"],
        },
        Planted {
            name: "password of the administrator",
            value: read(&dev.facts.admin_password_file),
            may_be: &["/data/admin"],
        },
        Planted {
            name: "join token of the first pool",
            value: read(&dev.facts.runner_token_file),
            may_be: &["/data/runner-token"],
        },
        Planted {
            name: "token of the administrator",
            value: dev.facts.token.clone(),
            may_be: &["/data/token", "/data/cli", "/data/terraform", "/data/api"],
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planted_is_found_nowhere() {
    let outside = HttpsServer::start().await;
    outside.answer("/document", 200, "{\"known\": true}");
    outside.take_deliveries(200);
    let dev = start(&outside).await;
    let api = dev.api();
    let environment = dev.facts.environment.clone();
    let workspace = api
        .create_workspace(&environment, json!({ "name": "planted" }))
        .await
        .expect(201)
        .id();
    leaks_are_found(&dev, &api, &workspace).await;

    let group = json!({ "name": "base", "is-enforced": true });
    let files_of_group = [("terrane-policy.hcl", MANIFEST), ("never.rego", POLICY)];
    let group = api.policy_group(group, &files_of_group).await;
    let scene = Scene {
        environment: environment.clone(),
        workspace: workspace.clone(),
        group: group.clone(),
        outside: outside.url("").trim_end_matches('/').to_owned(),
    };
    let mut planted = own(&dev);
    for row in ROWS {
        planted.push(row.plant(&api, &scene).await);
    }
    let user = api.get("account/details").await.expect(200).id();
    let pool = id_of(&api, &format!("organizations/{environment}/agent-pools")).await;
    planted.extend(made(&api, &[("user", user.clone()), ("pool", pool.clone())]).await);

    let search = Search::new(&planted);

    // The whole pipeline, with every process seen on its way.
    let done = Arc::new(AtomicBool::new(false));
    let project = Project::new(&dev);
    project
        .backend(Backend::Cloud, "planted")
        .write("main.tf", CONFIGURATION);
    let ran = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut seen = Vec::new();
            while !done.load(Ordering::SeqCst) {
                seen.extend(search.texts(&processes(&dev)));
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            seen
        });
        project.ok(&["init"]);
        let ran = project.run(&["apply", "-auto-approve"]);
        done.store(true, Ordering::SeqCst);
        let seen = watch.join().unwrap();
        assert!(
            seen.is_empty(),
            "on command lines or in environments: {seen:?}"
        );
        ran
    });
    assert_eq!(ran.code, 0, "{}", ran.output);
    assert!(ran.output.contains("plain: ***"), "{}", ran.output);
    assert!(ran.output.contains("environment: ***"), "{}", ran.output);

    let runs = api
        .get(&format!("workspaces/{workspace}/runs"))
        .await
        .expect(200);
    let run = &runs.json["data"][0];
    let related = |name: &str| {
        let id = run["relationships"][name]["data"]["id"].as_str();
        id.unwrap_or_default().to_owned()
    };
    let run_id = run["id"].as_str().unwrap().to_owned();
    let logs = [
        api.log(&format!("plans/{}", related("plan"))).await,
        api.log(&format!("applies/{}", related("apply"))).await,
    ];
    // What a runner has of a job goes when its report has arrived.
    let jobs = dev.facts.data_dir.join("runner/1/jobs");
    wait::until("the runner has no job", || async {
        let left = std::fs::read_dir(&jobs).map_or(0, Iterator::count);
        (left == 0).then_some(())
    })
    .await;
    // What a stream sends is looked at as well.
    wait::until("the streams have sent something", || async {
        (outside.deliveries().len() >= 2).then_some(())
    })
    .await;
    let known: Vec<(&str, String)> = vec![
        ("organization", environment),
        ("workspace_id", workspace),
        ("name", "planted".to_owned()),
        ("policy_group_id", group.clone()),
        ("policy_set_id", group),
        ("run_id", run_id),
        ("plan_id", related("plan")),
        ("apply_id", related("apply")),
        ("agent_pool_id", pool),
        ("user_id", user),
    ];
    let mut texts = everything(&dev, &api, &known).await;
    texts.push(Text::new("what the CLI prints", ran.output.clone()));
    texts.extend(logs.map(|log| Text::new("a log", log)));
    for delivery in outside.deliveries() {
        let text = format!("{:?}\n{}", delivery.headers, delivery.body);
        texts.push(Text::new(format!("delivery to {}", delivery.path), text));
    }
    let seen: Vec<&str> = texts.iter().map(|it| it.place.as_str()).collect();
    for place in [
        "terrane.db",
        "policy-input",
        "metrics",
        "audit-export",
        "stderr.log",
        "blobs",
    ] {
        assert!(
            seen.iter().any(|it| it.contains(place)),
            "{place} was not looked at: {seen:?}"
        );
    }
    let found = search.texts(&texts);
    assert!(found.is_empty(), "{found:#?}");

    // And the server works with them: the output is the planted value.
    let shown: Value = serde_json::from_str(&project.ok(&["output", "-json"])).unwrap();
    let variable = planted
        .iter()
        .find(|it| it.name == "sensitive variable")
        .unwrap();
    assert_eq!(shown["planted"]["value"], variable.value.as_str());
}
