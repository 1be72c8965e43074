//! The estimate of a run.

use db::Db;
use domain::cost::{EstimateStatus, LimitAction};
use serde_json::json;

use super::{GATEWAY, change, gateways, give_plan, plan, planned};
use crate::costs::{self, estimate::RunPlan};
use crate::objects;
use crate::testing::TestApp;

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn an_estimate_says_what_a_plan_costs(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let ctx = app.context(&team.admin);
        let mut plan = gateways(1, 2);
        let changes = plan["resource_changes"].as_array_mut().unwrap();
        changes.push(change("aws_vpc.v", "aws_vpc", false, true));
        changes.push(change("aws_unheard_of.u", "aws_unheard_of", false, true));
        let (run, of) = planned(&app, &team, &team.workspace, &plan).await;

        let mut tx = app.db.begin().await.unwrap();
        let id = costs::announce(&mut tx, &ctx, of.clone()).await.unwrap();
        costs::announce(&mut tx, &ctx, of.clone()).await.unwrap();
        tx.commit().await.unwrap();
        let path = format!("/api/v2/cost-estimates/{id}");
        let waiting = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(waiting.attribute("status"), "pending");
        app.get(format!("{path}/output")).by(&team.reader).await.expect(404);

        let made = costs::perform(&app, &ctx, of.clone()).await.unwrap();
        assert_eq!(made.estimate.status, EstimateStatus::Finished);
        assert!(made.broken.is_empty());
        let seen = made.for_policies.clone().unwrap();
        assert!((seen.delta_monthly_cost - 32.85).abs() < 1e-9);
        assert_eq!(seen.resources.len(), 4);
        assert!(seen.resources[0].get("components").is_none());
        assert_eq!(costs::perform(&app, &ctx, of).await.unwrap(), made);

        let answer = app
            .get(format!("/api/v2/runs/{}/cost-estimate", run.id))
            .by(&team.reader)
            .await
            .expect(200);
        assert_eq!(answer.attribute("status"), "finished");
        assert_eq!(answer.attribute("prior-monthly-cost"), GATEWAY);
        assert_eq!(answer.attribute("proposed-monthly-cost"), "65.7");
        assert_eq!(answer.attribute("delta-monthly-cost"), GATEWAY);
        assert_eq!(answer.attribute("resources-count"), 4);
        assert_eq!(answer.attribute("matched-resources-count"), 3);
        assert_eq!(answer.attribute("unmatched-resources-count"), 1);
        let resources = answer.attribute("resources");
        assert_eq!(resources["unmatched"][0]["address"], "aws_unheard_of.u");
        let times = answer.attribute("status-timestamps");
        for name in ["pending-at", "queued-at", "finished-at"] {
            assert!(times[name].is_string(), "{times}");
        }
        let report = app.get(format!("{path}/output")).by(&team.reader).await.expect(200);
        assert_eq!(report.json()["proposed_monthly_cost"], "65.7");
        assert_eq!(report.json()["resources"].as_array().unwrap().len(), 4);

        let mut conn = app.db.acquire().await.unwrap();
        let ids = costs::ids_of_runs(&mut conn, &team.tenant, std::slice::from_ref(&run.id)).await.unwrap();
        assert_eq!(ids, [(run.id.clone(), id)]);
        assert!(costs::ids_of_runs(&mut conn, &team.tenant, &[]).await.unwrap().is_empty());
    }

    async fn what_is_no_plan_never_fails_the_run(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let ctx = app.context(&team.admin);
        for junk in [&b"not json"[..], b"{}", b"[]", b"", br#"{"format_version":"9.0","planned_values":{}}"#] {
            let run = app.run_in_progress(&team.workspace).await;
            let blob = give_plan(&app, &team, &run, junk).await;
            let of = RunPlan {
                run: run.id.clone(),
                environment: team.environment.id.clone(),
                workspace: team.workspace.id.clone(),
                plan_json: Some(blob),
            };
            let made = costs::perform(&app, &ctx, of).await.unwrap();
            assert_eq!(made.estimate.status, EstimateStatus::Errored);
            assert!(made.estimate.error.unwrap().starts_with("the plan can't be priced: "));
            assert!(made.for_policies.is_none() && made.broken.is_empty());
        }
    }

    async fn a_plan_beyond_all_numbers_is_an_error_of_its_estimate(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let ctx = app.context(&team.admin);
        let mut huge = plan(vec![
            change("aws_ebs_volume.a", "aws_ebs_volume", false, true),
            change("aws_ebs_volume.b", "aws_ebs_volume", false, true),
        ]);
        for at in 0..2 {
            huge["resource_changes"][at]["change"]["after"] = json!({
                "availability_zone": "us-east-1a", "type": "gp2", "size": 4e28,
            });
        }
        let (_, of) = planned(&app, &team, &team.workspace, &huge).await;
        let made = costs::perform(&app, &ctx, of).await.unwrap();
        assert!(made.estimate.status.is_final());
    }

    async fn without_a_plan_a_limit_holds_the_run(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let ctx = app.context(&team.admin);
        insert_limit(&app, &team, "1000", "block").await;
        let run = app.run_in_progress(&team.workspace).await;
        let of = RunPlan {
            run: run.id,
            environment: team.environment.id.clone(),
            workspace: team.workspace.id.clone(),
            plan_json: None,
        };
        let made = costs::perform(&app, &ctx, of).await.unwrap();
        assert_eq!(costs::strongest(&made.broken), Some(LimitAction::Block));
        assert!(made.broken[0].text.contains("can't be judged"), "{}", made.broken[0].text);
    }

    async fn a_broken_limit_is_kept_with_the_estimate(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let ctx = app.context(&team.admin);
        insert_limit(&app, &team, "50", "require-approval").await;
        let (run, of) = planned(&app, &team, &team.workspace, &gateways(0, 2)).await;
        let made = costs::perform(&app, &ctx, of).await.unwrap();
        assert_eq!(costs::strongest(&made.broken), Some(LimitAction::RequireApproval));
        let answer = app
            .get(format!("/api/v2/runs/{}/cost-estimate", run.id))
            .by(&team.admin)
            .await
            .expect(200);
        let text = format!(
            "proposed 65.70 a month is over the limit 50.00 of environment {}",
            team.environment.name
        );
        assert_eq!(answer.attribute("broken-limits")[0]["text"], text);
    }

    async fn an_estimate_can_be_cancelled_while_it_waits(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let ctx = app.context(&team.admin);
        let (run, of) = planned(&app, &team, &team.workspace, &gateways(0, 1)).await;
        let mut tx = app.db.begin().await.unwrap();
        costs::cancel(&mut tx, &ctx, &run.id).await.unwrap();
        costs::announce(&mut tx, &ctx, of.clone()).await.unwrap();
        costs::cancel(&mut tx, &ctx, &run.id).await.unwrap();
        tx.commit().await.unwrap();
        let made = costs::perform(&app, &ctx, of).await.unwrap();
        assert_eq!(made.estimate.status, EstimateStatus::Canceled);
        assert!(made.for_policies.is_none());
    }

    async fn a_report_lives_as_long_as_its_estimate(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let ctx = app.context(&team.admin);
        let (run, of) = planned(&app, &team, &team.workspace, &gateways(0, 1)).await;
        let made = costs::perform(&app, &ctx, of).await.unwrap();
        let blob = made.estimate.report_blob_id.unwrap();
        objects::sweep(&app, chrono::TimeDelta::zero()).await.unwrap();
        objects::sweep(&app, chrono::TimeDelta::zero()).await.unwrap();
        objects::open(&app, &team.tenant, &blob).await.unwrap();
        let mut conn = app.db.acquire().await.unwrap();
        let found = costs::of_run(&mut conn, &team.tenant, &run.id).await.unwrap();
        assert_eq!(found.unwrap().report_blob_id, Some(blob));
    }
}

async fn insert_limit(app: &TestApp, team: &crate::testing::Team, monthly: &str, action: &str) {
    let now = app.clock.now();
    let mut tx = app.db.begin().await.unwrap();
    tx.query(
        "INSERT INTO cost_limits (id, account_id, environment_id, monthly, action, message,
            version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, '', 1, $6, $6)",
    )
    .bind(domain::ids::CostLimitId::random())
    .bind(team.tenant.account())
    .bind(&team.environment.id)
    .bind(monthly)
    .bind(action)
    .bind(now)
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}
