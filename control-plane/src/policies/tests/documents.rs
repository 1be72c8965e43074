//! Parameters and data documents: what policies are told besides the run.

use db::Db;
use serde_json::{Value, json};
use testkit::{HttpsServer, both_databases};

use super::*;
use crate::outbound::{Guard, Outbound};
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

    async fn a_document_comes_from_its_source(db: Db) {
        let server = HttpsServer::start().await;
        let ranges = ["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        let guard = Guard::new(&ranges);
        let outbound = Outbound::new(guard, Some(server.ca_pem().as_bytes())).unwrap();
        let app = TestApp::with_outbound(db, outbound);
        let team = app.team().await;
        let (path, kind) = ("/api/v2/policy-data-documents", "policy-data-documents");
        let source = |url: String| json!({ "source": { "url": url, "token": "t0ken" } });
        let create = |mut attributes: Value| {
            attributes["name"] = "owners".into();
            app.post(path).by(&team.admin).attributes(kind, attributes)
        };
        // What gives nothing is refused at once, and nothing of the answer is told.
        server.answer("/page", 200, "<html>inside</html>");
        let refused = create(source(server.url("/page"))).await.expect(422);
        assert_eq!(refused.pointer(), "/data/attributes/source/url");
        assert!(!refused.text().contains("inside"), "{}", refused.text());
        create(source(server.url("/missing"))).await.expect(422);
        create(source("http://localhost/".to_owned())).await.expect(422);

        server.answer("/owners", 200, "{\"web\": [\"ann\"]}");
        let mut both = source(server.url("/owners"));
        both["body"] = json!({});
        assert_eq!(create(both).await.expect(422).pointer(), "/data/attributes/body");
        let made = create(source(server.url("/owners"))).await.expect(201);
        assert_eq!(made.attribute("body"), json!({ "web": ["ann"] }));
        assert_eq!(made.attribute("source")["refresh-minutes"], 60);
        assert_eq!(made.attribute("source")["has-token"], true);
        assert!(!made.text().contains("t0ken"));
        assert_eq!(server.requests().last().unwrap(), "/owners Bearer t0ken");

        // It is asked again when it is due, and not before.
        let one = format!("{path}/{}", made.id());
        let asked = server.requests().len();
        policies::refresh_due(&app).await.unwrap();
        assert_eq!(server.requests().len(), asked);
        let due = async || {
            let mut tx = app.db.begin().await.unwrap();
            tx.query("UPDATE policy_documents SET next_fetch_at = $1")
                .bind(app.clock.now() - chrono::TimeDelta::seconds(1))
                .execute().await.unwrap();
            tx.commit().await.unwrap();
            policies::refresh_due(&app).await.unwrap();
            app.get(&one).by(&team.reader).await.expect(200)
        };
        server.answer("/owners", 200, "{\"web\": [\"bob\"]}");
        assert_eq!(due().await.attribute("body"), json!({ "web": ["bob"] }));
        server.answer("/owners", 503, "");
        let failed = due().await;
        assert_eq!(failed.attribute("body"), json!({ "web": ["bob"] }));
        let reason = failed.attribute("source")["fetch-error"].to_string();
        assert!(reason.contains("503"), "{reason}");
        server.answer("/owners", 200, "{}");
        let again = format!("{one}/actions/refresh");
        app.post(&again).by(&team.reader).await.expect(403);
        let well = app.post(&again).by(&team.admin).await.expect(200);
        assert_eq!(well.attribute("body"), json!({}));
        assert!(well.attribute("source")["fetch-error"].is_null());
        assert_eq!(app.audited(&team.tenant, "policy-data-document.refresh").await, 2);

        // The token is for the address that it was given for.
        let change = |attributes: Value| app.patch(&one).by(&team.admin).attributes(kind, attributes);
        change(json!({ "body": 1 })).await.expect(422);
        let same = json!({ "source": { "url": server.url("/owners"), "refresh-minutes": 5 } });
        assert_eq!(change(same).await.expect(200).attribute("source")["has-token"], true);
        server.answer("/elsewhere", 200, "3");
        let other = json!({ "source": { "url": server.url("/elsewhere") } });
        let moved = change(other).await.expect(200);
        assert_eq!(moved.attribute("source")["has-token"], false);
        assert_eq!(server.requests().last().unwrap(), "/elsewhere ");
        let uploaded = change(json!({ "source": null, "body": 4 })).await.expect(200);
        assert_eq!(uploaded.attribute("body"), 4);
        assert!(uploaded.attribute("source").is_null());
        let refused = app.post(&again).by(&team.admin).await.expect(409);
        assert_eq!(refused.code(), "policies.no-source");
    }

    async fn a_source_inside_is_not_called(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for url in ["https://127.0.0.1/", "https://localhost:8443/", "https://169.254.169.254/latest"] {
            let attributes = json!({ "name": "inside", "source": { "url": url } });
            let refused = app.post("/api/v2/policy-data-documents").by(&team.admin)
                .attributes("policy-data-documents", attributes).await.expect(422);
            assert!(refused.text().contains("outbound.allowed_networks"), "{}", refused.text());
        }
    }
}
