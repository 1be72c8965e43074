//! Old records go as a beginning of the chain, and the rest can still be proved.

use chrono::TimeDelta;
use db::Db;
use testkit::both_databases;

use super::*;
use crate::schema::MIGRATOR;

both_databases! { MIGRATOR;
    async fn what_is_too_old_goes_and_the_rest_is_proved(db: Db) {
        let app = TestApp::at(db, "2026-01-01T12:00:00Z");
        let team = app.team().await;
        deeds(&app, &team, 4).await;
        let old = export(&app, &team).await;
        audit::remove_old(&app).await.unwrap();
        assert_eq!(export(&app, &team).await[..old.len()], old[..], "nothing says to remove");
        let days = |days: Value| app.patch("/api/v2/audit-chain").by(&team.admin)
            .attributes("audit-chains", json!({ "retention-days": days }));
        assert_eq!(days(json!(89)).await.expect(422).pointer(), "/data/attributes/retention-days");
        let set = days(json!(90)).await.expect(200);
        assert_eq!(set.attribute("effective-retention-days"), 90);
        app.advance(TimeDelta::days(60));
        deeds_named(&app, &team, "young").await;
        app.advance(TimeDelta::days(45));
        let before = export(&app, &team).await;
        audit::remove_old(&app).await.unwrap();
        let after = export(&app, &team).await;
        let proof = verified(&after).unwrap();
        assert!(proof.first > old.len() as i64, "{proof:?}");
        assert!(after[0].contains("\"young\"") || after.iter().any(|it| it.contains("young")));
        assert!(before.contains(&after[0]), "what is left is as it was");
        let chain = chain(&app, &team).await;
        assert_eq!(chain.attribute("removed-sequence"), proof.first - 1);
        assert_eq!(chain.attribute("removed-hash"), parsed(&after[0])["previous"]);
        // Without the word of it the rest proves nothing.
        let silent: Vec<String> = after.iter()
            .take_while(|it| !it.contains("audit.remove")).cloned().collect();
        assert!(!silent.is_empty());
        assert!(verified(&silent).unwrap_err().contains("missing before it"));
        // And a second time.
        app.advance(TimeDelta::days(90));
        audit::remove_old(&app).await.unwrap();
        let last = export(&app, &team).await;
        assert!(verified(&last).unwrap().first > proof.first);
        let null = days(Value::Null).await.expect(200);
        assert_eq!(null.attribute("effective-retention-days"), 0);
    }
}

async fn deeds_named(app: &TestApp, team: &Team, key: &str) {
    let path = format!("/api/v2/workspaces/{}/vars", team.workspace.id);
    let attributes = json!({ "key": key, "value": "v", "category": "terraform" });
    app.post(&path)
        .by(&team.admin)
        .attributes("vars", attributes)
        .await
        .expect(201);
}
