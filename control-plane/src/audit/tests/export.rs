//! Exports: who may, what stands in them, and that they are recorded.

use db::Db;
use http::HeaderName;
use testkit::both_databases;

use super::*;
use crate::schema::MIGRATOR;

both_databases! { MIGRATOR;
    async fn an_export_is_whole_and_recorded(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        deeds(&app, &team, 2).await;
        app.get("/api/v2/audit-export").by(&team.reader).await.expect(403);
        let answer = app.get("/api/v2/audit-export").by(&team.admin).await.expect(200);
        assert_eq!(answer.header(http::header::CONTENT_TYPE), "application/x-ndjson");
        let lines: Vec<String> = answer.text().lines().map(str::to_owned).collect();
        let proof = verified(&lines).unwrap();
        let head = HeaderName::from_static("terrane-audit-hash");
        assert_eq!(answer.header(head), proof.hash);
        let last = parsed(lines.last().unwrap());
        assert_eq!(last["action"], "audit.export");
        assert_eq!(last["detail"]["format"], "json");
        let denied = lines.iter().map(|it| parsed(it)).find(|it| it["outcome"] == "denied").unwrap();
        assert_eq!(denied["action"], "audit:read");
        assert_eq!(denied["actor"]["id"], team.reader.id.as_str());
    }

    async fn csv_is_for_spreadsheets(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let path = format!("/api/v2/workspaces/{}/actions/lock", team.workspace.id);
        app.post(&path).by(&team.admin).json(&json!({ "reason": "=1+1" })).await.expect(200);
        let path = "/api/v2/audit-export?format=csv&filter[action]=workspace.lock";
        let answer = app.get(path).by(&team.admin).await.expect(200);
        let text = answer.text();
        assert!(text.starts_with("sequence,at,id,actor_kind"), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains(team.workspace.name.as_str()), "{text}");
        app.get("/api/v2/audit-export?format=xml").by(&team.admin).await.expect(400);
    }

    async fn many_records_come_in_parts(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        deeds(&app, &team, 1).await;
        sql(&app, "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
            INSERT INTO audit_records (id, account_id, at, actor_kind, actor_id, actor_name, action,
                target_kind, target_id, outcome, request_id, detail)
            SELECT r.id || n.n, r.account_id, r.at, r.actor_kind, r.actor_id, r.actor_name, r.action,
                r.target_kind, r.target_id, r.outcome, r.request_id, r.detail
            FROM (SELECT * FROM audit_records WHERE action = 'variable.create' LIMIT 1) r, n").await;
        let lines = export(&app, &team).await;
        assert!(lines.len() > 1000);
        assert_eq!(verified(&lines).unwrap().records, lines.len() as u64);
    }
}
