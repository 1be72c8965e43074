//! What the audit log costs: a change with and without its record, and how fast records are sealed.

use std::time::Instant;

use db::{Db, Settings};
use serde_json::json;
use testkit::database::TestDb;

use super::Size;
use super::place::{alone, options};
use super::report::report;
use super::samples::Samples;
use crate::{Answer, Dev, Options, wait};

/// Measures on both databases.
pub async fn audit(size: Size) {
    measure(size, "sqlite", alone()).await;
    if let Some(database) = TestDb::durable_postgres().await {
        let options = Options {
            runners: 0,
            database: Some(database.url().to_owned()),
            ..options()
        };
        measure(size, "postgres", options).await;
        database.close().await;
    }
}

async fn measure(size: Size, name: &str, options: Options) {
    let database = options.database.clone();
    let mut dev = Dev::start_with(options);
    let workspace = dev
        .api()
        .create_workspace(&dev.facts.environment, json!({ "name": "audit" }))
        .await
        .expect(201)
        .id();
    // Nobody else writes while it is measured.
    assert!(dev.stop().success());
    let url = database.unwrap_or_else(|| {
        let file = dev.facts.data_dir.join("terrane.db");
        format!("sqlite:{}", file.display())
    });
    let db = Db::connect(&Settings::new(url)).await.unwrap();
    overhead(size, name, &db, &workspace).await;
    let records = size.pick(50_000, 2_000);
    backlog(&db, records).await;
    db.close().await;
    let began = Instant::now();
    dev.restart();
    let api = dev.api();
    let sealed = |it: &Answer| {
        let sequence = it.attribute("sequence").as_i64();
        sequence.is_some_and(|it| it >= records)
    };
    wait::until_it("all records are sealed", || api.get("audit-chain"), sealed).await;
    let rate = records as f64 / began.elapsed().as_secs_f64();
    report(&format!("audit.{name}.sealed"), rate, "records/s", None);
}

/// A transaction that changes a row, alone and with a record of it.
async fn overhead(size: Size, name: &str, db: &Db, workspace: &str) {
    let (mut without, mut with) = (Samples::default(), Samples::default());
    for at in 0..size.pick(1_000, 50) {
        for (recorded, samples) in [(false, &mut without), (true, &mut with)] {
            let began = Instant::now();
            let mut tx = db.begin().await.unwrap();
            tx.query("UPDATE workspaces SET version = version + 1 WHERE id = $1")
                .bind(workspace)
                .execute()
                .await
                .unwrap();
            if recorded {
                record(&mut tx, workspace, at).await;
            }
            tx.commit().await.unwrap();
            samples.add(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    for percent in [50, 99] {
        let name = format!("audit.{name}.change_with_record.p{percent}");
        let alone = without.percentile(percent);
        report(&name, with.percentile(percent), "ms", Some(alone));
    }
}

/// Writes a record as the server does.
async fn record(tx: &mut db::Tx, workspace: &str, at: i64) {
    tx.query(
        "INSERT INTO audit_records (id, account_id, at, actor_kind, actor_id, actor_name,
            token_last_six, action, target_kind, target_id, environment_id, workspace_id, outcome,
            source_address, request_id, detail, before_digest, after_digest)
         SELECT $1, account_id, created_at, 'user', 'user-1', 'bench', 'abcdef', 'workspace.update',
            'workspaces', id, environment_id, id, 'done', '127.0.0.1', 'req-1', $2, NULL, NULL
         FROM workspaces WHERE id = $3",
    )
    .bind(format!("aud-{:016x}", rand::random::<u64>()))
    .bind(db::Json(json!({ "at": at })))
    .bind(workspace)
    .execute()
    .await
    .unwrap();
}

/// Records that wait to be sealed.
async fn backlog(db: &Db, records: i64) {
    let mut tx = db.begin().await.unwrap();
    tx.query(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < $1)
         INSERT INTO audit_records (id, account_id, at, actor_kind, actor_id, actor_name, action,
            target_kind, target_id, outcome, request_id, detail)
         SELECT r.id || n.n, r.account_id, r.at, r.actor_kind, r.actor_id, r.actor_name, r.action,
            r.target_kind, r.target_id, r.outcome, r.request_id, r.detail
         FROM (SELECT * FROM audit_records WHERE action = 'workspace.create' LIMIT 1) r, n",
    )
    .bind(records)
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}
