//! Every row goes out as text and comes back as it was, also from one database into the other.

#![expect(clippy::unwrap_used, reason = "tests")]

use db::{Conn, Db, Migrator, Row};
use testkit::both_databases;
use testkit::database::TestDb;

static MIGRATOR: Migrator = db::migrate!("tests/migrations");

async fn fill(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let owner = tx.query("INSERT INTO owners (id) VALUES ('someone')");
    owner.execute().await.unwrap();
    for (id, name) in [("a", "it's \"q\" ü\n"), ("b", "")] {
        tx.query(
            "INSERT INTO things (id, owner_id, name, number, flag, doc, data, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(id)
        .bind((id == "a").then_some("someone"))
        .bind(name)
        .bind(i64::MIN + 1)
        .bind(id == "a")
        .bind(db::Json(vec!["x\u{1}"]))
        .bind((id == "a").then_some(vec![0u8, 255, b'\'']))
        .bind(
            "2026-01-02T03:04:05.000120Z"
                .parse::<chrono::DateTime<chrono::Utc>>()
                .unwrap(),
        )
        .execute()
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn dump(conn: &mut Conn) -> Vec<(String, Vec<Row>)> {
    let mut all = Vec::new();
    for table in conn.tables().await.unwrap() {
        // Filled by a migration with the name of its database.
        if table.name == "variants" {
            continue;
        }
        let mut rows: Vec<Row> = Vec::new();
        conn.each_row(&table, |row| {
            rows.push(serde_json::from_str(row).unwrap());
            Ok::<_, db::Error>(())
        })
        .await
        .unwrap();
        rows.sort();
        all.push((table.name, rows));
    }
    all
}

/// As the texts of a JSON column are told apart only by white space.
fn without_spaces(dump: &[(String, Vec<Row>)]) -> String {
    format!("{dump:?}").replace(' ', "")
}

both_databases! { MIGRATOR;
    async fn what_goes_out_comes_in_again(db: Db) {
        fill(&db).await;
        let mut snapshot = db.snapshot().await.unwrap();
        let before = dump(&mut snapshot).await;
        // Written later, not seen.
        let mut tx = db.begin().await.unwrap();
        tx.query("DELETE FROM things").execute().await.unwrap();
        tx.query("DELETE FROM owners").execute().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(dump(&mut snapshot).await, before);
        snapshot.rollback().await.unwrap();

        let fresh = TestDb::sqlite(&MIGRATOR).await;
        for target in [&db, &fresh.db] {
            let mut tx = target.begin().await.unwrap();
            let tables = tx.tables().await.unwrap();
            for table in &tables {
                let Some((_, rows)) = before.iter().find(|(name, _)| *name == table.name) else {
                    continue;
                };
                for row in rows {
                    tx.insert_row(table, row.clone()).await.unwrap();
                }
                assert_eq!(tx.count_rows(table).await.unwrap(), rows.len() as i64);
            }
            tx.commit().await.unwrap();
            let mut conn = target.acquire().await.unwrap();
            assert_eq!(without_spaces(&dump(&mut conn).await), without_spaces(&before));
            assert!(conn.schema_version().await.unwrap().is_some());
        }
    }

    async fn rows_that_do_not_fit_are_refused(db: Db) {
        let mut tx = db.begin().await.unwrap();
        let tables = tx.tables().await.unwrap();
        let things = tables.iter().find(|it| it.name == "things").unwrap();
        let error = tx.insert_row(things, vec![None]).await.unwrap_err();
        assert!(error.to_string().contains("columns"), "{error}");
        let row: Row = things.columns.iter().map(|_| Some("x".to_owned())).collect();
        let error = tx.insert_row(things, row).await.unwrap_err();
        assert!(error.to_string().contains("can't be read"), "{error}");
    }
}
