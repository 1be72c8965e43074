//! Cost limits through the API.

use db::Db;
use serde_json::json;

use super::{gateways, planned};
use crate::costs;
use crate::testing::TestApp;

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn limits_are_made_read_changed_and_deleted(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let of_environment = format!("/api/v2/organizations/{}/cost-limits", team.environment.name);
        let of_workspace = format!("/api/v2/workspaces/{}/cost-limits", team.workspace.id);
        let wide = app
            .post(&of_environment)
            .by(&team.admin)
            .attributes("cost-limits", json!({ "monthly-limit": "1000.00", "action": "block" }))
            .await
            .expect(201);
        assert_eq!(wide.attribute("monthly-limit"), "1000");
        let narrow = app
            .post(&of_workspace)
            .by(&team.admin)
            .attributes("cost-limits", json!({ "increase-limit": "5", "action": "warn", "message": "mind" }))
            .await
            .expect(201);
        assert_eq!(app.get(&of_environment).by(&team.reader).await.each("action"), ["block"]);
        assert_eq!(
            app.get(&of_workspace).by(&team.reader).await.each("action"),
            ["block", "warn"]
        );
        let path = format!("/api/v2/cost-limits/{}", narrow.id());
        let changed = app
            .patch(&path)
            .by(&team.admin)
            .attributes("cost-limits", json!({ "increase-limit": null, "monthly-limit": "7" }))
            .await
            .expect(200);
        assert!(changed.attribute("increase-limit").is_null());
        assert_eq!(changed.attribute("message"), "mind");
        app.delete(&path).by(&team.admin).await.expect(204);
        app.get(&path).by(&team.admin).await.expect(404);
        for action in ["cost-limit.create", "cost-limit.update", "cost-limit.delete"] {
            assert!(app.audited(&team.tenant, action).await > 0, "{action}");
        }
    }

    async fn a_limit_says_what_is_wrong_with_it(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let path = format!("/api/v2/workspaces/{}/cost-limits", team.workspace.id);
        for (attributes, field) in [
            (json!({ "monthly-limit": "5" }), "action"),
            (json!({ "monthly-limit": "5", "action": "explode" }), "action"),
            (json!({ "action": "warn" }), "monthly-limit"),
            (json!({ "monthly-limit": "-5", "action": "warn" }), "monthly-limit"),
            (json!({ "increase-limit": "1,000", "action": "warn" }), "increase-limit"),
            (json!({ "monthly-limit": "5", "action": "warn", "message": "x".repeat(1001) }), "message"),
        ] {
            let answer = app.post(&path).by(&team.admin).attributes("cost-limits", attributes).await;
            assert_eq!(answer.pointer(), format!("/data/attributes/{field}"));
            answer.expect(422);
        }
        for _ in 0..20 {
            app.post(&path)
                .by(&team.admin)
                .attributes("cost-limits", json!({ "monthly-limit": "5", "action": "warn" }))
                .await
                .expect(201);
        }
        let more = app
            .post(&path)
            .by(&team.admin)
            .attributes("cost-limits", json!({ "monthly-limit": "5", "action": "warn" }))
            .await;
        assert_eq!(more.code(), "costs.too-many");
    }

    async fn a_limit_of_one_workspace_is_not_held_against_another(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let ctx = app.context(&team.admin);
        app.post(format!("/api/v2/workspaces/{}/cost-limits", team.workspace.id))
            .by(&team.admin)
            .attributes("cost-limits", json!({ "monthly-limit": "1", "action": "block" }))
            .await
            .expect(201);
        let other = app.workspace(&team.environment, "other").await;
        let (_, own) = planned(&app, &team, &team.workspace, &gateways(0, 1)).await;
        let (_, theirs) = planned(&app, &team, &other, &gateways(0, 1)).await;
        let made = costs::perform(&app, &ctx, own).await.unwrap();
        assert!(made.broken[0].text.ends_with(&format!("of workspace {}", team.workspace.name)));
        assert!(costs::perform(&app, &ctx, theirs).await.unwrap().broken.is_empty());
    }
}
