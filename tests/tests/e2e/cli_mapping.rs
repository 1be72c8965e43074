//! Workspaces by tags and by prefix, and `terraform workspace`.

use tests::Backend;

use crate::common::Session;

#[tokio::test(flavor = "multi_thread")]
async fn tags_map_to_many_workspaces() {
    let session = Session::start(Backend::CloudTags).await;
    session
        .project
        .answer(&["init"], &[("Enter a value:", "one")]);
    session.project.ok(&["workspace", "new", "two"]);
    let list = session.project.ok(&["workspace", "list"]);
    assert!(list.contains("one") && list.contains("* two"), "{list}");
    session.project.ok(&["apply", "-auto-approve"]);
    assert_eq!(session.project.ok(&["output", "-raw", "workspace"]), "two");
    session.project.ok(&["workspace", "select", "one"]);
    assert_eq!(session.project.ok(&["workspace", "show"]).trim(), "one");
    session.project.exits(1, &["workspace", "delete", "two"]);
    session
        .project
        .ok(&["workspace", "delete", "-force", "two"]);
    let list = session.project.ok(&["workspace", "list"]);
    assert!(!list.contains("two"), "{list}");
    let workspace = session
        .api
        .workspace(&session.dev.facts.environment, "one")
        .await
        .expect(200);
    assert_eq!(
        workspace.attribute("tag-names"),
        &serde_json::json!(["net-dev"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_maps_to_many_workspaces() {
    let session = Session::start(Backend::RemotePrefix).await;
    session
        .project
        .write("main.tf", crate::common::CONFIGURATION);
    session.project.backend(Backend::RemotePrefix, "app-");
    let environment = &session.dev.facts.environment;
    for name in ["app-one", "app-two", "other"] {
        session
            .api
            .create_workspace(environment, serde_json::json!({"name": name}))
            .await
            .expect(201);
    }
    session
        .project
        .answer(&["init"], &[("Enter a value:", "1")]);
    let list = session.project.ok(&["workspace", "list"]);
    assert!(
        list.contains("one") && list.contains("two") && !list.contains("other"),
        "{list}"
    );
    session.project.ok(&["workspace", "select", "two"]);
    session.project.ok(&["apply", "-auto-approve"]);
    let workspace = session
        .api
        .workspace(environment, "app-two")
        .await
        .expect(200)
        .id();
    assert!(session.api.serial(&workspace).await.is_some());
    session.project.ok(&["workspace", "new", "three"]);
    session
        .api
        .workspace(environment, "app-three")
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_workspace_is_the_only_one() {
    let session = Session::applied(Backend::Cloud).await;
    let list = session.project.ok(&["workspace", "list"]);
    assert_eq!(list.trim(), "* net-dev");
    session.project.exits(1, &["workspace", "new", "other"]);
    session
        .project
        .exits(1, &["workspace", "delete", "net-dev"]);
}
