//! The audit log on both databases.

mod chain;
mod export;
mod records;
mod retention;
mod streams;
mod tampering;

use serde_json::{Value, json};

use crate::audit;
use crate::testing::{Answer, Team, TestApp};

/// A whole export as JSON lines, as the administrator gets it.
async fn export(app: &TestApp, team: &Team) -> Vec<String> {
    let answer = app
        .get("/api/v2/audit-export")
        .by(&team.admin)
        .await
        .expect(200);
    answer.text().lines().map(str::to_owned).collect()
}

fn verified(lines: &[String]) -> Result<audit::Proof, String> {
    audit::verify(&mut lines.join("\n").as_bytes()).map_err(|error| error.to_string())
}

/// Writes some records: a variable is made and changed some times.
async fn deeds(app: &TestApp, team: &Team, count: usize) {
    let path = format!("/api/v2/workspaces/{}/vars", team.workspace.id);
    for at in 0..count {
        let attributes = json!({ "key": format!("k{at}"), "value": "v", "category": "terraform" });
        app.post(&path)
            .by(&team.admin)
            .attributes("vars", attributes)
            .await
            .expect(201);
    }
}

async fn chain(app: &TestApp, team: &Team) -> Answer {
    app.get("/api/v2/audit-chain")
        .by(&team.admin)
        .await
        .expect(200)
}

/// Runs one statement as whoever has the database could.
async fn sql(app: &TestApp, statement: &'static str) -> u64 {
    let mut tx = app.db.begin().await.unwrap();
    let changed = tx.query(statement).execute().await.unwrap();
    tx.commit().await.unwrap();
    changed
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}
