//! What an analysis looks at, what it says, and who may ask.

use db::Db;
use http::header;
use serde_json::json;
use testkit::both_databases;

use super::{
    analyse, count, counts, execute, files, group, named, plan, planned, propose, read, results,
    settle, start,
};
use crate::schema::MIGRATOR;
use crate::testing::TestApp;

both_databases! { MIGRATOR;
    async fn the_matrix_has_new_failures_first_and_nothing_comes_into_force(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group_id = group(&app, &team, &files(10, 10, 3, 0)).await;
        let other = app.workspace(&team.environment, "zz-last").await;
        planned(&app, &team, &team.workspace, &plan(&[5])).await;
        planned(&app, &team, &other, &plan(&[1, 12])).await;
        let before = app.get(format!("/api/v2/policy-groups/{group_id}")).by(&team.reader).await;
        // `one` is stricter, `lone` is laxer; `two` is as before.
        let done = analyse(&app, &team, &group_id, &files(4, 10, 20, 0)).await;
        assert_eq!(
            counts(&done, &["run", "judged-run", "policy", "newly-failing", "newly-passing", "changed"]),
            [2, 2, 3, 1, 2, 3]
        );
        // two: 2 runs; one and lone: both revisions.
        assert_eq!(counts(&done, &["evaluated", "known"]), [10, 0]);
        let rows = results(&app, &team, &done.id(), "").await;
        let said: Vec<String> = rows.iter().map(|row| {
            let it = &row["attributes"];
            let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            format!("{} {} {}>{}", word(&it["change"]), word(&it["policy"]),
                word(&it["before"]["result"]), word(&it["after"]["result"]))
        }).collect();
        assert_eq!(said, [
            "newly-failing one passed>hard_failed",
            "newly-passing lone hard_failed>passed",
            "newly-passing lone hard_failed>passed",
            "unchanged two passed>passed",
            "unchanged one hard_failed>hard_failed",
            "unchanged two hard_failed>hard_failed",
        ]);
        let message = &rows[0]["attributes"]["after"]["messages"][0]["message"];
        assert_eq!(message, "terraform_data.r0 is larger than 4");
        let changed = results(&app, &team, &done.id(), "&filter[changed]=true&filter[policy]=lone").await;
        assert_eq!(changed.len(), 2);
        let elsewhere = results(&app, &team, &done.id(), "&filter[environment]=nowhere").await;
        assert!(elsewhere.is_empty());
        let failing = results(&app, &team, &done.id(), "&filter[result]=hard_failed").await;
        assert_eq!(failing.len(), 3);
        let after = app.get(format!("/api/v2/policy-groups/{group_id}")).by(&team.reader).await;
        assert_eq!(
            after.data()["relationships"]["revision-in-force"],
            before.data()["relationships"]["revision-in-force"]
        );
        assert_eq!(after.attribute("status"), "active");
        let csv = app.get(format!("/api/v2/impact-analyses/{}/results", done.id()))
            .by(&team.reader).header(header::ACCEPT, "text/csv").await.expect(200);
        let lines: Vec<String> = csv.text().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 7, "{}", csv.text());
        assert!(lines[1].contains("one,newly-failing,passed,hard_failed,,terraform_data.r0 is larger than 4"));
    }

    async fn only_the_latest_planned_runs_in_reach_are_looked_at(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group_id = group(&app, &team, &files(1, 1, 1, 0)).await;
        let old = planned(&app, &team, &team.workspace, &plan(&[5])).await;
        let latest = planned(&app, &team, &team.workspace, &plan(&[5])).await;
        let mut others = Vec::new();
        for name in ["dry", "same", "destroy", "stale", "excluded"] {
            let workspace = app.workspace(&team.environment, name).await;
            planned(&app, &team, &workspace, &plan(&[5])).await;
            others.push(workspace);
        }
        let excluded = others.last().unwrap().id.to_string();
        let body = json!({"data": {"type": "policy-groups", "relationships": {
            "workspace-exclusions": {"data": [{"type": "workspaces", "id": excluded}]},
        }}});
        app.patch(format!("/api/v2/policy-groups/{group_id}")).by(&team.admin).json(&body)
            .await.expect(200);
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE runs SET plan_only = TRUE WHERE workspace_id IN
            (SELECT id FROM workspaces WHERE name = 'dry')").execute().await.unwrap();
        tx.query("UPDATE runs SET plan_result = '{\"has_changes\":false}' WHERE workspace_id IN
            (SELECT id FROM workspaces WHERE name = 'same')").execute().await.unwrap();
        tx.query("UPDATE runs SET request = '{\"is_destroy\":true}' WHERE workspace_id IN
            (SELECT id FROM workspaces WHERE name = 'destroy')").execute().await.unwrap();
        tx.query("UPDATE runs SET changed_at = $1 WHERE workspace_id IN
            (SELECT id FROM workspaces WHERE name = 'stale')")
            .bind(app.clock.now() - chrono::TimeDelta::days(31)).execute().await.unwrap();
        tx.commit().await.unwrap();
        let done = analyse(&app, &team, &group_id, &files(2, 2, 2, 0)).await;
        let path = format!("/api/v2/impact-analyses/{}/runs", done.id());
        let runs = app.get(path).by(&team.reader).await.expect(200);
        let runs = runs.data().as_array().unwrap().clone();
        assert_eq!(runs.len(), 1, "{runs:?}");
        assert_eq!(runs[0]["id"], latest.as_str());
        assert_ne!(old, latest);
    }

    async fn a_run_whose_plan_is_gone_is_listed_as_such(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group_id = group(&app, &team, &files(1, 1, 1, 0)).await;
        planned(&app, &team, &team.workspace, &plan(&[5])).await;
        execute(&app, "UPDATE runs SET plan_json_blob_id = NULL").await;
        let done = analyse(&app, &team, &group_id, &files(2, 2, 2, 0)).await;
        assert_eq!(counts(&done, &["run", "judged-run", "unjudgeable-run", "evaluated"]), [1, 0, 1, 0]);
        let path = format!("/api/v2/impact-analyses/{}/runs?filter[status]=unjudgeable", done.id());
        let runs = app.get(path).by(&team.reader).await.expect(200);
        let reason = runs.data()[0]["attributes"]["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains("no longer stored"), "{reason}");
        let csv = app.get(format!("/api/v2/impact-analyses/{}/results?format=csv", done.id()))
            .by(&team.reader).await.expect(200);
        assert!(csv.text().contains("unjudgeable"), "{}", csv.text());
    }

    async fn what_can_not_be_analysed_is_refused_or_ends_with_a_reason(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group_id = group(&app, &team, &files(1, 1, 1, 0)).await;
        let shown = app.get(format!("/api/v2/policy-groups/{group_id}")).by(&team.reader).await;
        let good = shown.data()["relationships"]["revision-in-force"]["data"]["id"].clone();
        let refused = start(&app, &team, &group_id, good.as_str().unwrap()).await.expect(409);
        assert!(refused.text().contains("impact.in-force"));
        let missing = start(&app, &team, &group_id, "polsetver-none").await.expect(422);
        assert!(missing.text().contains("/data/relationships/revision"));
        let empty = app.post(format!("/api/v2/policy-groups/{group_id}/revisions"))
            .by(&team.admin)
            .attributes("policy-revisions", json!({"proposed": true}))
            .await.expect(201).id();
        assert!(start(&app, &team, &group_id, &empty).await.expect(409).text().contains("impact.no-archive"));
        let path = format!("/api/v2/policy-groups/{group_id}/impact-analyses");
        app.post(&path).by(&team.reader).json(&named(&empty)).await.expect(403);
        let stranger = app.team().await;
        app.get(&path).by(&stranger.admin).await.expect(404);
        // No manifest.
        let broken = vec![("one.rego".to_owned(), super::lone(1))];
        let revision = propose(&app, &team, &group_id, &broken).await;
        let id = start(&app, &team, &group_id, &revision).await.expect(201).id();
        settle(&app).await;
        let errored = read(&app, &team, &id).await;
        assert_eq!(errored.attribute("status"), "errored");
        assert!(!errored.attribute("error-message").as_str().unwrap().is_empty());
        assert_eq!(app.audited(&team.tenant, "impact-analysis.create").await, 1);
        // A policy that can't be compiled is that policy's error.
        planned(&app, &team, &team.workspace, &plan(&[5])).await;
        let mut half = files(9, 9, 9, 0);
        half[1].1 = "package terraform\n\ndeny contains".to_owned();
        let done = analyse(&app, &team, &group_id, &half).await;
        let one = results(&app, &team, &done.id(), "&filter[policy]=one").await;
        assert_eq!(one[0]["attributes"]["after"]["result"], "errored");
        assert!(one[0]["attributes"]["after"]["error"].as_str().unwrap().contains("one.rego"));
        assert_eq!(count(&app, "SELECT COUNT(*) FROM policy_verdicts WHERE outcome = 'errored'").await, 0);
    }
}
