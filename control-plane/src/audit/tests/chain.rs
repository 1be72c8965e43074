//! Every record gets its place, in order, whoever seals.

use db::Db;
use domain::permission::Permission;
use futures::future::join_all;
use serde_json::json;
use testkit::both_databases;

use super::*;
use crate::iam::{Target, authorize};
use crate::schema::MIGRATOR;

both_databases! { MIGRATOR;
    async fn new_records_are_chained_in_order(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let neighbour = app.team().await;
        let empty = chain(&app, &team).await;
        assert_eq!(empty.attribute("sequence"), 0);
        deeds(&app, &team, 3).await;
        deeds(&app, &neighbour, 1).await;
        audit::seal_new(&app).await.unwrap();
        let first = chain(&app, &team).await;
        assert!(first.attribute("sequence").as_i64().unwrap() >= 3);
        audit::seal_new(&app).await.unwrap();
        assert_eq!(chain(&app, &team).await.attribute("hash"), first.attribute("hash"));
        let lines = export(&app, &team).await;
        let proof = verified(&lines).unwrap();
        assert_eq!((proof.first, proof.records), (1, lines.len() as u64));
        assert_eq!(parsed(&lines[0])["previous"], empty.attribute("hash"));
        let now = chain(&app, &team).await;
        assert_eq!(now.attribute("hash"), proof.hash.as_str());
        assert_eq!(now.attribute("sequence"), proof.last);
        let times: Vec<String> = lines.iter().map(|it| parsed(it)["at"].to_string()).collect();
        assert!(times.is_sorted(), "{times:?}");
        for line in &lines {
            assert_eq!(parsed(line)["account"], team.account.id.as_str());
        }
        verified(&export(&app, &neighbour).await).unwrap();
    }

    async fn sealers_do_not_disturb_each_other(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let writers = async { for _ in 0..5 { deeds_of_system(&app, &team).await } };
        let sealers = join_all((0..4).map(|_| async {
            for _ in 0..6 {
                audit::seal_new(&app).await.unwrap();
            }
        }));
        tokio::join!(writers, sealers);
        audit::seal_new(&app).await.unwrap();
        let left = sql(&app, "UPDATE audit_records SET hash = NULL WHERE sequence IS NULL").await;
        assert_eq!(left, 0);
        let proof = verified(&export(&app, &team).await).unwrap();
        assert_eq!(proof.first, 1);
    }

    async fn a_record_that_becomes_visible_late_comes_later(db: Db) {
        let app = TestApp::at(db, "2026-05-01T12:00:00Z");
        let team = app.team().await;
        deeds(&app, &team, 1).await;
        let lines = export(&app, &team).await;
        // As a transaction leaves it that began long ago and has only now been committed.
        let late = sql(&app, "INSERT INTO audit_records (id, account_id, at, actor_kind, actor_id,
            actor_name, action, target_kind, target_id, outcome, request_id, detail)
            SELECT 'aud-late', account_id, '2026-05-01 11:00:00+00:00', actor_kind, actor_id,
            actor_name, 'late.deed', target_kind, target_id, outcome, request_id, detail
            FROM audit_records WHERE action = 'variable.create'").await;
        assert_eq!(late, 1);
        let more = export(&app, &team).await;
        assert_eq!(more[..lines.len()], lines[..], "what was sealed stays as it is");
        let place = more.iter().position(|it| it.contains("late.deed")).unwrap();
        assert!(place >= lines.len());
        verified(&more).unwrap();
    }

    async fn a_large_backlog_is_sealed_in_one_pass(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let mut tx = app.db.begin().await.unwrap();
        let ctx = app.context(&team.admin);
        let target = Target::new("accounts", &team.account.id);
        let proof = authorize(&ctx, Permission::AccountsRead, target).unwrap();
        for at in 0..450 {
            let detail = json!({ "at": at, "half": 0.5, "large": 1e30, "text": "ä\u{1f600}\"\\" });
            audit::record(&mut tx, &ctx, &proof, "test.deed", detail).await.unwrap();
        }
        tx.commit().await.unwrap();
        audit::seal_new(&app).await.unwrap();
        assert!(chain(&app, &team).await.attribute("sequence").as_i64().unwrap() >= 450);
        verified(&export(&app, &team).await).unwrap();
    }
}

/// Records of the control plane itself, from several tasks at once.
async fn deeds_of_system(app: &TestApp, team: &Team) {
    join_all((0..4).map(|at| async move {
        let ctx = app.system(&team.account);
        let target = Target::new("accounts", &team.account.id);
        let proof = authorize(&ctx, Permission::AccountsRead, target).unwrap();
        let mut tx = app.db.begin().await.unwrap();
        let detail = json!({ "at": at });
        audit::record(&mut tx, &ctx, &proof, "test.deed", detail)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }))
    .await;
}
