//! What a request costs a caller with many grants, in an account that has many: they are loaded with
//! each request, and lists are filtered by them.

use std::time::Instant;

use serde_json::json;
use testkit::database::TestDb;

use super::Size;
use super::place::alone;
use super::report::report;
use super::samples::Samples;
use crate::{Api, Dev, Options};

/// How many grants callers have, each on a workspace of its own.
const GRANTS: [usize; 3] = [1, 100, 10_000];
const QUICK_GRANTS: [usize; 3] = [1, 10, 100];

/// Measures on both databases.
pub async fn access(size: Size) {
    measure(size, "sqlite", alone()).await;
    if let Some(database) = TestDb::durable_postgres().await {
        let options = Options {
            database: Some(database.url().to_owned()),
            ..alone()
        };
        measure(size, "postgres", options).await;
        database.close().await;
    }
}

async fn measure(size: Size, database: &str, options: Options) {
    let dev = Dev::start_with(options);
    let api = dev.api();
    let environment = &dev.facts.environment;
    let counts = size.pick(GRANTS, QUICK_GRANTS);
    let most = counts.into_iter().max().unwrap_or_default();
    let mut workspaces = Vec::new();
    for index in 0..most {
        let attributes = json!({"name": format!("access-{index}")});
        let body = json!({"data": {"type": "workspaces", "attributes": attributes}});
        let path = format!("organizations/{environment}/workspaces");
        workspaces.push(api.post(&path, body).await.expect(201).id());
    }
    let mut callers = Vec::new();
    for count in counts {
        callers.push((count, caller(&api, &workspaces[..count]).await));
    }
    let one = format!("workspaces/{}", workspaces[0]);
    let list = format!("organizations/{environment}/workspaces?page[size]=20");
    for (what, path) in [("read", &one), ("list", &list)] {
        let mut least = None;
        for (count, caller) in &callers {
            let mut samples = Samples::default();
            for index in 0..=size.pick(500, 20) {
                let begun = Instant::now();
                caller.get(path).await.expect(200);
                // The first one notes when the token was used.
                if index > 0 {
                    samples.add(begun.elapsed().as_secs_f64() * 1000.0);
                }
            }
            for percent in [50, 99] {
                let value = samples.percentile(percent);
                let baseline = *least.get_or_insert(value);
                let name = format!("access.{database}.{count}_grants.{what}.p{percent}");
                report(&name, value, "ms", Some(baseline));
            }
        }
    }
}

/// A service account with a grant on each of these workspaces.
async fn caller(admin: &Api, workspaces: &[String]) -> Api {
    let attributes = json!({"name": format!("robot-{}", workspaces.len())});
    let body = json!({"data": {"type": "service-accounts", "attributes": attributes}});
    let id = admin.post("service-accounts", body).await.expect(201).id();
    for workspace in workspaces {
        let body = json!({"data": {"type": "access-policies", "relationships": {
            "service-account": {"data": {"type": "service-accounts", "id": id}},
            "role": {"data": {"type": "roles", "id": "role-user"}},
            "workspace": {"data": {"type": "workspaces", "id": workspace}},
        }}});
        admin.post("access-policies", body).await.expect(201);
    }
    let body = json!({"data": {"type": "authentication-tokens", "attributes": {}}});
    let path = format!("service-accounts/{id}/authentication-tokens");
    let made = admin.post(&path, body).await.expect(201);
    admin.with_token(made.attribute("token").as_str().unwrap_or_default())
}
