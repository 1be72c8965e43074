//! What is known from before, what outlives a process, and what is forgotten.

use chrono::TimeDelta;
use db::Db;
use domain::ids::PolicyGroupId;
use testkit::both_databases;

use super::{
    analyse, count, counts, execute, files, group, plan, planned, propose, read, results, settle,
    start,
};
use crate::impact::{ImpactKeeper, sweep};
use crate::policies;
use crate::schema::MIGRATOR;
use crate::testing::TestApp;

const VERDICTS: &str = "SELECT COUNT(*) FROM policy_verdicts";

both_databases! { MIGRATOR;
    async fn only_what_changed_is_evaluated(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group_id = group(&app, &team, &files(10, 10, 10, 0)).await;
        planned(&app, &team, &team.workspace, &plan(&[5])).await;
        let other = app.workspace(&team.environment, "other").await;
        planned(&app, &team, &other, &plan(&[15])).await;
        let asked = ["evaluated", "known"];
        let first = analyse(&app, &team, &group_id, &files(4, 10, 10, 0)).await;
        // Three policies in force and one new one, two runs.
        assert_eq!(counts(&first, &asked), [8, 0]);
        let same = analyse(&app, &team, &group_id, &files(4, 10, 10, 0)).await;
        assert_eq!(counts(&same, &asked), [0, 8]);
        // The library is part of two policies.
        let helper = analyse(&app, &team, &group_id, &files(10, 10, 10, 6)).await;
        assert_eq!(counts(&helper, &asked), [4, 6]);
        assert_eq!(counts(&helper, &["newly-failing"]), [2]);
        // A level is no part of a verdict.
        let mut softer = files(10, 10, 10, 0);
        softer[0].1 = softer[0].1.replace("hard-mandatory", "advisory");
        let softer = analyse(&app, &team, &group_id, &softer).await;
        assert_eq!(counts(&softer, &asked), [0, 6]);
        assert_eq!(counts(&softer, &["newly-passing"]), [3]);
    }

    async fn a_process_that_dies_in_the_middle_loses_nothing_that_was_written(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let group_id = group(&app, &team, &files(10, 10, 10, 0)).await;
        for number in 0..25 {
            let workspace = app.workspace(&team.environment, &format!("w{number:02}")).await;
            planned(&app, &team, &workspace, &plan(&[number])).await;
        }
        let revision = propose(&app, &team, &group_id, &files(4, 10, 10, 0)).await;
        let id = start(&app, &team, &group_id, &revision).await.expect(201).id();
        let keeper = ImpactKeeper::new(app.shared());
        keeper.pass().await.unwrap();
        // Until the first part is written.
        for _ in 0..2000 {
            let now = read(&app, &team, &id).await;
            if counts(&now, &["judged-run"])[0] > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        drop(keeper);
        execute(&app, "UPDATE impact_analyses SET claimed_until = created_at").await;
        settle(&app).await;
        let done = read(&app, &team, &id).await;
        assert_eq!(done.attribute("status"), "finished");
        // Each pair once, however often it was begun.
        let sums = counts(&done, &["run", "judged-run", "evaluated", "known"]);
        assert_eq!((sums[0], sums[1], sums[2] + sums[3]), (25, 25, 100));
        assert_eq!(results(&app, &team, &id, "").await.len(), 75);
        assert_eq!(count(&app, VERDICTS).await, 100);
    }

    async fn nothing_is_left_of_runs_and_groups_and_what_nobody_asks_for(db: Db) {
        let app = TestApp::at(db, "2026-05-01T00:00:00Z");
        let team = app.team().await;
        let group_id = group(&app, &team, &files(10, 10, 10, 0)).await;
        planned(&app, &team, &team.workspace, &plan(&[5])).await;
        let other = app.workspace(&team.environment, "other").await;
        planned(&app, &team, &other, &plan(&[15])).await;
        analyse(&app, &team, &group_id, &files(4, 10, 10, 0)).await;
        assert_eq!(count(&app, VERDICTS).await, 8);
        sweep(&app).await.unwrap();
        assert_eq!(count(&app, VERDICTS).await, 8);
        execute(&app, "DELETE FROM runs WHERE workspace_id IN
            (SELECT id FROM workspaces WHERE name = 'other')").await;
        assert_eq!(count(&app, VERDICTS).await, 4);
        // Two of its three policies pass as they passed.
        assert_eq!(count(&app, "SELECT COUNT(*) FROM impact_results").await, 1);
        app.advance(TimeDelta::days(91));
        sweep(&app).await.unwrap();
        assert_eq!(count(&app, VERDICTS).await, 0);
        assert_eq!(count(&app, "SELECT COUNT(*) FROM impact_analyses").await, 0);
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE runs SET changed_at = $1").bind(app.clock.now()).execute().await.unwrap();
        tx.commit().await.unwrap();
        analyse(&app, &team, &group_id, &files(4, 10, 10, 0)).await;
        assert_eq!(count(&app, VERDICTS).await, 4);
        let id: PolicyGroupId = group_id.parse().unwrap();
        policies::delete(&app, &app.context(&team.admin), &id, true).await.unwrap();
        assert_eq!(count(&app, "SELECT COUNT(*) FROM impact_results").await, 0);
        sweep(&app).await.unwrap();
        assert_eq!(count(&app, VERDICTS).await, 0);
    }
}
