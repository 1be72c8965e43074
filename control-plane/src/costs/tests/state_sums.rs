//! Sums over workspaces: what is in them, what is beside them, and what never gets into them.

use db::Db;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::GATEWAY;
use super::states::{gateway, push, settle, some, state};
use crate::testing::{Answer, Team, TestApp};

async fn sum(app: &TestApp, team: &Team, path: &str) -> Answer {
    app.get(format!("/api/v2/{path}"))
        .by(&team.reader)
        .await
        .expect(200)
}

fn of_environment(team: &Team, rest: &str) -> String {
    format!("organizations/{}/{rest}", team.environment.name)
}

/// Name and monthly cost of each group, in their order.
fn groups(answer: &Answer) -> Vec<(String, String)> {
    let text = |group: &Value, name: &str| group[name].as_str().unwrap().to_owned();
    let groups = answer.attribute("groups");
    let groups = groups.as_array().unwrap().iter();
    groups
        .map(|group| (text(group, "name"), text(group, "monthly-cost")))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, cost): &(&str, &str)| ((*name).to_owned(), (*cost).to_owned());
    expected.iter().map(owned).collect()
}

fn total(groups: &[(String, String)]) -> Decimal {
    groups
        .iter()
        .map(|(_, cost)| cost.parse::<Decimal>().unwrap())
        .sum()
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn environments_and_accounts_never_mix(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let stranger = app.team().await;
        let other = app.environment(&team.account, "elsewhere").await;
        let there = app.workspace(&other, "there").await;
        push(&app, &team, &team.workspace, &state(1, &some(1))).await;
        push(&app, &team, &there, &state(1, &some(2))).await;
        push(&app, &stranger, &stranger.workspace, &state(1, &some(3))).await;
        settle(&app).await;
        let here = sum(&app, &team, &of_environment(&team, "cost?group-by=workspace")).await;
        assert_eq!(here.attribute("monthly-cost"), GATEWAY);
        assert_eq!(groups(&here), pairs(&[(&team.workspace.name, GATEWAY)]));
        assert_eq!(here.attribute("groups")[0]["id"], team.workspace.id.as_str());
        assert_eq!(here.attribute("groups")[0]["environment"], team.environment.name);
        let account = sum(&app, &team, "account/cost?group-by=environment").await;
        assert_eq!(account.attribute("monthly-cost"), "98.55");
        assert_eq!(account.attribute("workspaces-count"), 2);
        let expected = [("elsewhere", "65.7"), (&team.environment.name, GATEWAY)];
        assert_eq!(groups(&account), pairs(&expected));
        let theirs = sum(&app, &stranger, "account/cost").await;
        assert_eq!(theirs.attribute("monthly-cost"), "98.55");
        assert_eq!(theirs.attribute("groups"), json!([]));
        for rest in ["cost", "cost-history"] {
            let path = format!("/api/v2/{}", of_environment(&team, rest));
            app.get(path).by(&stranger.admin).await.expect(404);
            let path = format!("/api/v2/workspaces/{}/{rest}", team.workspace.id);
            app.get(path).by(&stranger.admin).await.expect(404);
        }
        let days = sum(&app, &stranger, "account/cost-history").await;
        assert_eq!(days.each("monthly-cost").last().unwrap(), "98.55");
        let days = sum(&app, &team, &of_environment(&team, "cost-history")).await;
        assert_eq!(days.each("monthly-cost").last().unwrap(), GATEWAY);
    }

    async fn subtotals_add_up(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let second = app.workspace(&team.environment, "second").await;
        let third = app.workspace(&team.environment, "third").await;
        let net = [
            gateway("module.net", "a", json!({ "team": "red" })),
            gateway("module.net", "b", json!({ "team": "blue", "own": "x" })),
            gateway("", "c", json!({})),
        ];
        push(&app, &team, &team.workspace, &state(1, &net)).await;
        let also = [gateway("module.net", "a", json!({ "team": "red" }))];
        push(&app, &team, &second, &state(1, &also)).await;
        push(&app, &team, &third, &state(1, &some(1))).await;
        settle(&app).await;

        let path = format!("workspaces/{}/cost", team.workspace.id);
        let one = sum(&app, &team, &path).await;
        assert_eq!(one.attribute("monthly-cost"), "98.55");
        let modules = one.attribute("modules");
        assert_eq!(modules[0]["name"], "");
        assert_eq!(modules[0]["monthly-cost"], GATEWAY);
        assert_eq!(modules[1]["name"], "module.net");
        assert_eq!(modules[1]["monthly-cost"], "65.7");
        assert_eq!(modules[1]["resources-count"], 2);
        let tags = one.attribute("tags");
        let keys: Vec<&str> =
            tags.as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["own", "own", "team", "team", "team"]);

        let all = Decimal::new(16_425, 2);
        let by_module = sum(&app, &team, "account/cost?group-by=module").await;
        assert_eq!(groups(&by_module), pairs(&[("module.net", "98.55"), ("", "65.7")]));
        let by_tag = sum(&app, &team, "account/cost?group-by=tag&tag=team").await;
        let expected = [("", "65.7"), ("red", "65.7"), ("blue", GATEWAY)];
        assert_eq!(groups(&by_tag), pairs(&expected));
        let unknown = sum(&app, &team, "account/cost?group-by=tag&tag=nobody").await;
        assert_eq!(groups(&unknown), pairs(&[("", "164.25")]));

        for (workspace, value) in [(&second, "x"), (&third, "y")] {
            app.patch(format!("/api/v2/workspaces/{}/tag-bindings", workspace.id))
                .by(&team.admin)
                .json(&json!({ "data": [{ "type": "tag-bindings",
                    "attributes": { "key": "centre", "value": value } }] }))
                .await
                .expect(200);
        }
        let by_binding = sum(&app, &team, "account/cost?group-by=workspace-tag&tag=centre").await;
        let expected = [("", "98.55"), ("x", GATEWAY), ("y", GATEWAY)];
        assert_eq!(groups(&by_binding), pairs(&expected));
        for answer in [&by_module, &by_tag, &unknown, &by_binding] {
            assert_eq!(total(&groups(answer)), all);
            assert_eq!(answer.attribute("monthly-cost"), "164.25");
        }
        // A tag that may be among those without subtotals is not taken for one that isn't there.
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE state_costs SET omitted_tags = 1").execute().await.unwrap();
        tx.commit().await.unwrap();
        let unknown = sum(&app, &team, "account/cost?group-by=tag&tag=nobody").await;
        assert_eq!(unknown.attribute("groups")[0]["remainder"], true);
        assert_eq!(groups(&unknown), pairs(&[("", "164.25")]));
        for bad in ["group-by=colour", "group-by=tag", "group-by=workspace-tag"] {
            let answer = app.get(format!("/api/v2/account/cost?{bad}")).by(&team.reader).await;
            assert_eq!(answer.code(), "request.bad-parameter", "{bad}");
        }
    }

    async fn each_day_has_the_last_state_of_each_workspace(db: Db) {
        let app = TestApp::at(db, "2026-05-01T12:00:00Z");
        let team = app.team().await;
        let other = app.workspace(&team.environment, "other").await;
        push(&app, &team, &team.workspace, &state(1, &some(1))).await;
        app.advance(chrono::TimeDelta::hours(1));
        push(&app, &team, &team.workspace, &state(2, &some(2))).await;
        app.advance(chrono::TimeDelta::days(2));
        push(&app, &team, &other, &state(1, &some(1))).await;
        settle(&app).await;
        app.advance(chrono::TimeDelta::days(1));
        push(&app, &team, &team.workspace, &state(3, &[])).await;
        let query = "cost-history?filter[since]=2026-04-30&filter[until]=2026-05-04";
        let days = sum(&app, &team, &of_environment(&team, query)).await;
        let ids: Vec<Value> =
            days.data().as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
        assert_eq!(ids, ["2026-04-30", "2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04"]);
        // The last state has no row yet: what was before it counts on.
        let waiting = ["0", "65.7", "65.7", "98.55", "98.55"];
        assert_eq!(days.each("monthly-cost"), waiting);
        settle(&app).await;
        let account = sum(&app, &team, "account/cost-history?filter[since]=2026-05-02").await;
        assert_eq!(account.each("monthly-cost"), ["65.7", "98.55", GATEWAY]);
        assert_eq!(account.data()[2]["attributes"]["workspaces-count"], 2);
        let usual = sum(&app, &team, "account/cost-history").await;
        assert_eq!(usual.data().as_array().unwrap().len(), 30);
        for bad in [
            "filter[since]=2025-05-01",
            "filter[since]=2026-06-01",
            "filter[until]=today",
        ] {
            let path = format!("/api/v2/account/cost-history?{bad}");
            let answer = app.get(path).by(&team.reader).await;
            assert_eq!(answer.code(), "request.bad-parameter", "{bad}");
        }
    }
}
