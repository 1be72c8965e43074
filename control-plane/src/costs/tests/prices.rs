//! An account's own prices, through the API and in an estimate.

use db::Db;
use serde_json::{Value, json};

use super::{change, gateways, plan, planned};
use crate::costs;
use crate::testing::{Team, TestApp};

const HEADER: &str = "provider,service,region,key,attributes,unit,start_usage,price_usd,effective_date,source,confidence";

async fn proposed(app: &TestApp, team: &Team, plan: &Value) -> String {
    let ctx = app.context(&team.admin);
    let (_, of) = planned(app, team, &team.workspace, plan).await;
    let made = costs::perform(app, &ctx, of).await.unwrap();
    made.estimate.proposed_monthly.unwrap()
}

async fn adjust(app: &TestApp, team: &Team, kind: &str, subject: &str, amount: &str) -> String {
    app.post("/api/v2/cost-adjustments")
        .by(&team.admin)
        .attributes(
            "cost-adjustments",
            json!({ "kind": kind, "subject": subject, "amount": amount }),
        )
        .await
        .expect(201)
        .id()
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn discounts_and_prices_count_from_the_next_estimate_on(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let stranger = app.team().await;
        let plan = gateways(0, 2);
        assert_eq!(proposed(&app, &team, &plan).await, "65.7");
        let discount = adjust(&app, &team, "discount", "aws_*", "50").await;
        assert_eq!(proposed(&app, &team, &plan).await, "32.85");
        assert_eq!(proposed(&app, &stranger, &plan).await, "65.7");
        adjust(&app, &team, "monthly-price", "aws_nat_gateway.g0", "100").await;
        assert_eq!(proposed(&app, &team, &plan).await, "116.425");
        let path = format!("/api/v2/cost-adjustments/{discount}");
        app.patch(&path)
            .by(&team.admin)
            .attributes("cost-adjustments", json!({ "amount": "0" }))
            .await
            .expect(200);
        assert_eq!(proposed(&app, &team, &plan).await, "132.85");
        app.delete(&path).by(&team.admin).await.expect(204);
        let left = app.get("/api/v2/cost-adjustments").by(&team.reader).await.expect(200);
        assert_eq!(left.each("subject"), ["aws_nat_gateway.g0"]);
    }

    async fn an_adjustment_says_what_is_wrong_with_it(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for (kind, subject, amount, field) in [
            ("gift", "aws_eip", "1", "kind"),
            ("discount", "", "1", "subject"),
            ("discount", "aws_*_x", "1", "subject"),
            ("monthly-price", "aws_*", "1", "subject"),
            ("discount", "aws_eip", "101", "amount"),
            ("monthly-price", "aws_eip", "-1", "amount"),
        ] {
            let answer = app
                .post("/api/v2/cost-adjustments")
                .by(&team.admin)
                .attributes("cost-adjustments", json!({ "kind": kind, "subject": subject, "amount": amount }))
                .await;
            assert_eq!(answer.pointer(), format!("/data/attributes/{field}"));
            answer.expect(422);
        }
        adjust(&app, &team, "discount", "aws_eip", "1").await;
        let again = app
            .post("/api/v2/cost-adjustments")
            .by(&team.admin)
            .attributes("cost-adjustments", json!({ "kind": "discount", "subject": "aws_eip", "amount": "2" }))
            .await
            .expect(422);
        assert_eq!(again.code(), "costs.subject-taken");
    }

    async fn price_rows_of_an_account_count_before_the_book(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let path = "/api/v2/account/cost-price-rows";
        let rows = format!("{HEADER}\naws,AmazonEC2,us-east-1,nat.hour,,hours,0,0.01,2026-01-01,own,A\n");
        app.put(path).by(&team.admin).body("text/csv", rows.clone()).await.expect(204);
        assert_eq!(app.get(path).by(&team.reader).await.expect(200).text(), rows);
        assert_eq!(proposed(&app, &team, &gateways(0, 1)).await, "7.3");
        for (bad, said) in [
            (format!("{HEADER}\naws,x,r,k,,h,0,cheap,2026-01-01,own,A\n"), "line 2"),
            (format!("{HEADER}\naws,x,r,k,,h,0,1,2026-01-01,own,A\naws,x,r,,,h,0,1,,own,A\n"), "line 3"),
            (HEADER.to_owned(), "no rows"),
            ("a,b\n1,2\n".to_owned(), "column"),
        ] {
            let answer = app.put(path).by(&team.admin).body("text/csv", bad).await.expect(422);
            assert_eq!(answer.code(), "costs.bad-file");
            assert!(answer.text().contains(said), "{}", answer.text());
        }
        app.delete(path).by(&team.admin).await.expect(204);
        assert_eq!(proposed(&app, &team, &gateways(0, 1)).await, "32.85");
    }

    async fn usage_of_a_workspace_wins_over_that_of_its_environment(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let plan = plan(vec![change("aws_nat_gateway.g", "aws_nat_gateway", false, true)]);
        let usage = |amount: u32| {
            format!("resource_usage:\n  aws_nat_gateway.g:\n    monthly_data_processed_gb: {amount}\n")
        };
        let wide = format!("/api/v2/organizations/{}/cost-usage", team.environment.name);
        let narrow = format!("/api/v2/workspaces/{}/cost-usage", team.workspace.id);
        app.put(&wide).by(&team.admin).body("application/yaml", usage(100)).await.expect(204);
        assert_eq!(proposed(&app, &team, &plan).await, "37.35");
        app.put(&narrow).by(&team.admin).body("application/yaml", usage(200)).await.expect(204);
        assert_eq!(proposed(&app, &team, &plan).await, "41.85");
        let answer = app
            .put(&narrow)
            .by(&team.admin)
            .body("application/yaml", "resource_usage:\n  - a\n")
            .await
            .expect(422);
        assert!(answer.text().contains("line 2"), "{}", answer.text());
        app.delete(&narrow).by(&team.admin).await.expect(204);
        assert_eq!(proposed(&app, &team, &plan).await, "37.35");
        assert!(app.audited(&team.tenant, "cost-file.put").await >= 2);
    }
}
