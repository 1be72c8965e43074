//! The suites of `examples` are taken as they are.

use std::path::Path;

use db::Db;
use serde_json::json;
use testkit::both_databases;

use super::*;
use crate::schema::MIGRATOR;

/// The files below a folder of the repository, packed; and how many tests they hold.
fn packed(folder: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(folder);
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    tar.append_dir_all(".", root).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

both_databases! { MIGRATOR;
    async fn files_and_queries_sync_unchanged(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        // All folders in one archive, as they lie in a repository; each group is one of them.
        for folder in ["required_tags", "allowed_regions", "workspace_tags"] {
            let attributes = json!({ "name": folder, "is-enforced": true, "path": folder });
            let group = create(&app, &team, attributes).await;
            let checked = push(&app, &team, &group, packed("examples/policies")).await;
            assert_eq!(checked.attribute("status"), "good", "{folder}: {}", checked.text());
            assert_eq!(checked.attribute("broken-policy-count"), 0, "{folder}");
            assert!(checked.attribute("passed-test-count").as_i64() > Some(0), "{folder}");
        }
        let set = create(&app, &team, json!({ "name": "network", "kind": "queries" })).await;
        let checked = push(&app, &team, &set, packed("examples/policy-sets/network")).await;
        assert_eq!(checked.attribute("status"), "good", "{}", checked.text());
        assert_eq!(checked.attribute("broken-policy-count"), 0);
        assert!(checked.attribute("passed-test-count").as_i64() > Some(0));
        assert_eq!(in_force(&app, &team).await, ["allowed_regions", "required_tags", "workspace_tags"]);
    }
}
