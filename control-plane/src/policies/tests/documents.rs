//! Parameters and data documents: what policies are told besides the run.

use db::Db;
use serde_json::{Value, json};
use testkit::both_databases;

use super::*;
use crate::schema::MIGRATOR;

both_databases! { MIGRATOR;
    async fn parameters_are_data_and_secrets_stay_secret(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({ "name": "base", "is-enforced": true })).await;
        let id = push(&app, &team, &group, good()).await.id();
        let path = format!("/api/v2/policy-sets/{group}/parameters");
        let made = app.post(&path).by(&team.admin)
            .attributes("vars", json!({ "key": "limit", "value": "10", "category": "policy-set" }))
            .await.expect(201);
        assert_eq!(made.attribute("value"), "10");
        let secret = app.post(&path).by(&team.admin)
            .attributes("vars", json!({ "key": "token", "value": "s3cret", "sensitive": true }))
            .await.expect(201);
        assert_eq!(secret.attribute("value"), Value::Null);
        let one = format!("{path}/{}", secret.id());
        let uncover = app.patch(&one).by(&team.admin)
            .attributes("vars", json!({ "sensitive": false })).await.expect(422);
        assert_eq!(uncover.code(), "policies.stays-sensitive");
        let source = policies::source_of(&app, &team.tenant, &id.parse().unwrap()).await.unwrap();
        assert_eq!(Value::from(source.parameters), json!({ "limit": "10", "token": "s3cret" }));
        app.delete(&one).by(&team.admin).await.expect(204);
        let left = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(left.each("key"), ["limit"]);
        for (attributes, pointer) in [
            (json!({ "key": "" }), "/data/attributes/key"),
            (json!({ "key": "limit" }), "/data/attributes/key"),
            (json!({ "key": "a", "hcl": true }), "/data/attributes/hcl"),
            (json!({ "key": "a", "category": "env" }), "/data/attributes/category"),
        ] {
            let answer = app.post(&path).by(&team.admin).attributes("vars", attributes).await;
            assert_eq!(answer.expect(422).pointer(), pointer);
        }
    }

    async fn documents_are_data_of_the_account(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group = create(&app, &team, json!({ "name": "base" })).await;
        let id = push(&app, &team, &group, good()).await.id();
        let path = "/api/v2/policy-data-documents";
        let kind = "policy-data-documents";
        let made = app.post(path).by(&team.admin)
            .attributes(kind, json!({ "name": "teams", "body": { "web": ["ann"] } }))
            .await.expect(201);
        let one = format!("{path}/{}", made.id());
        app.patch(&one).by(&team.admin).attributes(kind, json!({ "body": { "web": [] } })).await
            .expect(200);
        let read = app.get(&one).by(&team.reader).await.expect(200);
        assert_eq!(read.attribute("body"), json!({ "web": [] }));
        let source = policies::source_of(&app, &team.tenant, &id.parse().unwrap()).await.unwrap();
        assert_eq!(Value::from(source.account), json!({ "teams": { "web": [] } }));
        let large = "x".repeat(1 << 20);
        for (attributes, pointer) in [
            (json!({ "name": "a" }), "/data/attributes/body"),
            (json!({ "name": "a-b", "body": 1 }), "/data/attributes/name"),
            (json!({ "name": "teams", "body": 1 }), "/data/attributes/name"),
            (json!({ "name": "a", "body": large }), "/data/attributes/body"),
        ] {
            let answer = app.post(path).by(&team.admin).attributes(kind, attributes).await;
            assert_eq!(answer.expect(422).pointer(), pointer);
        }
        app.delete(&one).by(&team.admin).await.expect(204);
        app.get(&one).by(&team.admin).await.expect(404);
        assert_eq!(app.audited(&team.tenant, "policy-data-document.update").await, 1);
    }
}
