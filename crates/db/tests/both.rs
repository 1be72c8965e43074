//! The promises of the facade, on both databases.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use db::{Conn, Db, Dialect, Error, Json, Migrator, Settings};
use domain::ids::RunId;
use testkit::both_databases;
use tokio::task::JoinSet;

static MIGRATOR: Migrator = db::migrate!("tests/migrations");

const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
struct Thing {
    id: RunId,
    owner_id: Option<String>,
    name: String,
    number: i64,
    flag: bool,
    doc: Json<Vec<u32>>,
    data: Option<Vec<u8>>,
    at: DateTime<Utc>,
}

fn thing(name: &str, number: i64) -> Thing {
    Thing {
        id: RunId::random(),
        owner_id: None,
        name: name.to_owned(),
        number,
        flag: false,
        doc: Json(vec![1, 2]),
        data: Some(vec![0, 255]),
        at: "2026-01-02T03:04:05.123456Z".parse().unwrap(),
    }
}

const COLUMNS: &str = "SELECT id, owner_id, name, number, flag, doc, data, at FROM things";

async fn insert(conn: &mut Conn, thing: &Thing) -> db::Result<u64> {
    conn.query(
        "INSERT INTO things (id, owner_id, name, number, flag, doc, data, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&thing.id)
    .bind(&thing.owner_id)
    .bind(&thing.name)
    .bind(thing.number)
    .bind(thing.flag)
    .bind(&thing.doc)
    .bind(&thing.data)
    .bind(thing.at)
    .execute()
    .await
}

async fn put(db: &Db, thing: &Thing) -> db::Result<()> {
    let mut tx = db.begin().await?;
    insert(&mut tx, thing).await?;
    tx.commit().await
}

async fn count(db: &Db) -> i64 {
    let mut conn = db.acquire().await.unwrap();
    conn.query("SELECT COUNT(*) FROM things")
        .fetch_scalar()
        .await
        .unwrap()
}

both_databases! { MIGRATOR;
    async fn a_row_comes_back_as_it_was(db: Db) {
        let full = thing("full", 1);
        let empty = Thing { data: None, doc: Json(vec![]), ..thing("empty", 2) };
        put(&db, &full).await.unwrap();
        put(&db, &empty).await.unwrap();
        let mut conn = db.acquire().await.unwrap();
        let found: Vec<Thing> =
            conn.build(COLUMNS).push(" ORDER BY number").finish().fetch_all().await.unwrap();
        assert_eq!(found, [full, empty]);
    }

    async fn each_database_gets_its_variant_of_a_migration(db: Db) {
        let mut conn = db.acquire().await.unwrap();
        let which: Vec<(String,)> =
            conn.query("SELECT which FROM variants").fetch_all().await.unwrap();
        let expected = match db.dialect() {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
        };
        assert_eq!(which, [(expected.to_owned(),)]);
        drop(conn);
        // A second start finds nothing to do.
        db.migrate(&MIGRATOR).await.unwrap();
    }

    async fn a_newer_schema_is_refused(db: Db) {
        static OLDER: Migrator = db::migrate!("tests/migrations_older");
        let error = db.migrate(&OLDER).await.unwrap_err();
        assert!(matches!(error, Error::SchemaTooNew { version: 2 }), "{error}");
    }

    async fn filters_bind_their_values(db: Db) {
        for (name, number) in [("a", 1), ("b", 2), ("c", 3)] {
            put(&db, &thing(name, number)).await.unwrap();
        }
        let mut conn = db.acquire().await.unwrap();
        let names: [&str; 2] = ["a", "c'); DROP TABLE things; --"];
        let found: Vec<Thing> = conn
            .build(COLUMNS)
            .push(" WHERE 1 = 1")
            .push_if(" AND number < ", Some(3_i64))
            .push_if(" AND number > ", None::<i64>)
            .push_in(" AND name IN (", names)
            .push_in(" AND id IN (", Vec::<RunId>::new())
            .push(" LIMIT ")
            .bind(10_i64)
            .finish()
            .fetch_all()
            .await
            .unwrap();
        assert_eq!(found.iter().map(|thing| thing.name.as_str()).collect::<Vec<_>>(), ["a"]);
    }

    async fn nothing_is_kept_without_a_commit(db: Db) {
        let mut tx = db.begin().await.unwrap();
        insert(&mut tx, &thing("dropped", 1)).await.unwrap();
        drop(tx);
        let mut tx = db.begin().await.unwrap();
        insert(&mut tx, &thing("rolled back", 1)).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(count(&db).await, 0);
    }

    async fn a_write_outside_a_transaction_is_refused_on_sqlite(db: Db) {
        let mut conn = db.acquire().await.unwrap();
        let result = insert(&mut conn, &thing("stray", 1)).await;
        match db.dialect() {
            Dialect::Sqlite => assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}"),
            Dialect::Postgres => assert!(result.is_ok()),
        }
    }

    async fn violations_name_table_and_columns(db: Db) {
        put(&db, &thing("taken", 1)).await.unwrap();
        let error = put(&db, &thing("taken", 1)).await.unwrap_err();
        assert!(error.is_unique_violation());
        assert!(error.is_unique_violation_of("things", &["name", "number"]), "{error:?}");
        assert!(!error.is_unique_violation_of("things", &["id"]));
        assert!(!error.to_string().contains("taken"));

        let first = thing("first", 1);
        put(&db, &first).await.unwrap();
        let error = put(&db, &Thing { id: first.id, ..thing("second", 1) }).await.unwrap_err();
        assert!(error.is_unique_violation_of("things", &["id"]), "{error:?}");

        let orphan = Thing { owner_id: Some("nobody".to_owned()), ..thing("orphan", 1) };
        assert!(put(&db, &orphan).await.unwrap_err().is_foreign_key_violation());
    }

    async fn a_partial_index_names_its_columns(db: Db) {
        let mut tx = db.begin().await.unwrap();
        tx.query("INSERT INTO owners (id) VALUES ($1)").bind("o").execute().await.unwrap();
        tx.commit().await.unwrap();
        let flagged = |n| Thing { owner_id: Some("o".to_owned()), flag: true, ..thing("f", n) };
        put(&db, &flagged(1)).await.unwrap();
        let error = put(&db, &flagged(2)).await.unwrap_err();
        assert!(error.is_unique_violation_of("things", &["owner_id"]), "{error:?}");
    }

    async fn errors_tell_what_happened(db: Db) {
        let mut conn = db.acquire().await.unwrap();
        let missing = conn.query("SELECT id FROM things").fetch_scalar::<RunId>().await;
        assert!(matches!(missing, Err(Error::NoRow { .. })));
        drop(conn);
        let mut tx = db.begin().await.unwrap();
        tx.query("INSERT INTO owners (id) VALUES ($1)").bind("not a run").execute().await.unwrap();
        tx.commit().await.unwrap();
        let mut conn = db.acquire().await.unwrap();
        let unreadable = conn.query("SELECT id FROM owners").fetch_scalar::<RunId>().await;
        assert!(matches!(unreadable, Err(Error::Unreadable { .. })), "{unreadable:?}");
        let refused = conn.query("SELECT nonsense FROM owners").execute().await;
        assert!(matches!(refused, Err(Error::Refused { .. })));
    }

    async fn many_writers_lose_nothing(db: Db) {
        put(&db, &thing("counter", 0)).await.unwrap();
        let mut writers = JoinSet::new();
        for _ in 0..8 {
            let db = db.clone();
            writers.spawn(async move {
                for _ in 0..5 {
                    let mut tx = db.begin().await.unwrap();
                    let id: String = tx.query("SELECT id FROM things").fetch_scalar().await.unwrap();
                    tx.lock_row("things", &id).await.unwrap();
                    let number: i64 =
                        tx.query("SELECT number FROM things").fetch_scalar().await.unwrap();
                    tokio::task::yield_now().await;
                    tx.query("UPDATE things SET number = $1")
                        .bind(number + 1)
                        .execute()
                        .await
                        .unwrap();
                    tx.commit().await.unwrap();
                }
            });
        }
        writers.join_all().await;
        let mut conn = db.acquire().await.unwrap();
        let number: i64 = conn.query("SELECT number FROM things").fetch_scalar().await.unwrap();
        assert_eq!(number, 40);
    }

    async fn readers_do_not_wait_for_a_writer(db: Db) {
        put(&db, &thing("seen", 1)).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        insert(&mut tx, &thing("unseen", 2)).await.unwrap();
        assert_eq!(tokio::time::timeout(LIMIT, count(&db)).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(count(&db).await, 2);
    }

    async fn a_cancelled_transaction_frees_its_connection(db: Db) {
        for n in 0..20 {
            let mut tasks = JoinSet::new();
            let own = db.clone();
            tasks.spawn(async move {
                let mut tx = own.begin().await.unwrap();
                insert(&mut tx, &thing("cancelled", n)).await.unwrap();
                std::future::pending::<()>().await;
            });
            for _ in 0..n {
                tokio::task::yield_now().await;
            }
            tasks.shutdown().await;
        }
        tokio::time::timeout(LIMIT, put(&db, &thing("kept", 1))).await.unwrap().unwrap();
        assert_eq!(count(&db).await, 1);
    }

    async fn a_transaction_that_the_database_undid_spoils_no_later_one(db: Db) {
        for _ in 0..6 {
            let mut tx = db.begin().await.unwrap();
            // As SQLite does when the disk is full: the driver is not told.
            tx.query("ROLLBACK").execute().await.unwrap();
            drop(tx);
        }
        put(&db, &thing("a", 1)).await.unwrap();
        assert_eq!(count(&db).await, 1);
    }

    async fn the_database_clock_runs(db: Db) {
        let mut tx = db.begin().await.unwrap();
        let first = tx.database_now().await.unwrap();
        assert_eq!(first, first.trunc_subsecs(6));
        let mut later = first;
        // It moves on within a transaction.
        while later == first {
            later = tx.database_now().await.unwrap();
        }
        assert!(later > first);
    }

    async fn a_commit_wakes_and_a_rollback_does_not(db: Db) {
        let mut queue = db.listen("queue");
        let mut other = db.listen("other");
        let mut tx = db.begin().await.unwrap();
        tx.notify("queue");
        tx.notify("queue");
        tx.rollback().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.notify("queue");
        tx.commit().await.unwrap();
        tokio::time::timeout(LIMIT, queue.woken()).await.unwrap();
        if db.dialect() == Dialect::Sqlite {
            // On PostgreSQL everybody is woken once when the listening connection stands.
            let woken = std::pin::pin!(other.woken());
            assert!(futures_now(woken).is_none());
            assert!(futures_now(std::pin::pin!(queue.woken())).is_none());
        }
    }

    async fn a_closed_database_is_unavailable(db: Db) {
        db.close().await;
        assert!(db.acquire().await.err().unwrap().is_unavailable());
        assert!(db.begin().await.err().unwrap().is_unavailable());
    }
}

/// The result of a future that is ready at once.
fn futures_now<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn processes_on_postgres_wake_each_other() {
    let Some(database) = testkit::database::TestDb::postgres(&MIGRATOR).await else {
        return;
    };
    let elsewhere = Db::connect(database.settings()).await.unwrap();
    let mut listener = database.db.listen("queue");
    // The first wake-up says that the listening connection stands.
    tokio::time::timeout(LIMIT, listener.woken()).await.unwrap();
    let mut tx = elsewhere.begin().await.unwrap();
    tx.notify("queue");
    tx.commit().await.unwrap();
    tokio::time::timeout(LIMIT, listener.woken()).await.unwrap();
    elsewhere.close().await;
    database.close().await;
}

#[tokio::test]
async fn a_lost_listening_connection_is_made_again_and_wakes_everybody() {
    let Some(database) = testkit::database::TestDb::postgres(&MIGRATOR).await else {
        return;
    };
    let mut listener = database.db.listen("queue");
    tokio::time::timeout(LIMIT, listener.woken()).await.unwrap();
    let mut conn = database.db.acquire().await.unwrap();
    let killed: i64 = conn
        .query(
            "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        .fetch_scalar()
        .await
        .unwrap();
    assert_eq!(killed, 1);
    drop(conn);
    tokio::time::timeout(LIMIT, listener.woken()).await.unwrap();
    database.close().await;
}

#[tokio::test]
async fn a_lock_that_is_not_granted_is_busy() {
    let Some(database) = testkit::database::TestDb::postgres(&MIGRATOR).await else {
        return;
    };
    let settings = Settings {
        lock_timeout: Duration::from_millis(50),
        ..database.settings().clone()
    };
    let impatient = Db::connect(&settings).await.unwrap();
    let row = thing("row", 1);
    put(&database.db, &row).await.unwrap();
    let mut holder = database.db.begin().await.unwrap();
    holder.lock_row("things", &row.id).await.unwrap();
    let mut tx = impatient.begin().await.unwrap();
    assert!(tx.lock_row("things", &row.id).await.unwrap_err().is_busy());
    drop((holder, tx));
    impatient.close().await;
    database.close().await;
}

#[tokio::test]
async fn a_statement_over_its_time_is_busy() {
    let Some(database) = testkit::database::TestDb::postgres(&MIGRATOR).await else {
        return;
    };
    let settings = Settings {
        statement_timeout: Duration::from_millis(50),
        ..database.settings().clone()
    };
    let impatient = Db::connect(&settings).await.unwrap();
    let mut conn = impatient.acquire().await.unwrap();
    assert!(
        conn.query("SELECT pg_sleep(60)")
            .execute()
            .await
            .unwrap_err()
            .is_busy()
    );
    drop(conn);
    impatient.close().await;
    database.close().await;
}

#[tokio::test]
async fn a_connection_killed_before_the_commit_leaves_the_outcome_open() {
    let Some(database) = testkit::database::TestDb::postgres(&MIGRATOR).await else {
        return;
    };
    let mut tx = database.db.begin().await.unwrap();
    insert(&mut tx, &thing("lost", 1)).await.unwrap();
    let pid: i32 = tx
        .query("SELECT pg_backend_pid()")
        .fetch_scalar()
        .await
        .unwrap();
    let mut conn = database.db.acquire().await.unwrap();
    conn.query("SELECT pg_terminate_backend($1, 60000)")
        .bind(pid)
        .execute()
        .await
        .unwrap();
    let error = tx.commit().await.unwrap_err();
    assert!(matches!(error, Error::CommitUnknown { .. }), "{error:?}");
    drop(conn);
    // The pool makes a new connection.
    put(&database.db, &thing("kept", 1)).await.unwrap();
    database.close().await;
}

#[tokio::test]
async fn an_unreachable_server_is_an_error_to_open() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("postgres://localhost/nothing?host={}", dir.path().display());
    let settings = Settings {
        acquire_timeout: Duration::from_secs(1),
        ..Settings::new(url)
    };
    assert!(matches!(
        Db::connect(&settings).await,
        Err(Error::Open { .. })
    ));
}

#[tokio::test]
async fn a_sqlite_database_is_private_and_durable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a b.db");
    let settings = Settings::new(format!("sqlite:{}", path.display()));
    let db = Db::open(&settings, &MIGRATOR).await.unwrap();
    put(&db, &thing("row", 1)).await.unwrap();
    {
        use std::os::unix::fs::PermissionsExt;
        let modes: HashSet<u32> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777)
            .collect();
        assert_eq!(modes, HashSet::from([0o600]));
    }
    let mut tx = db.begin().await.unwrap();
    for (pragma, expected) in [
        (
            "SELECT CAST(synchronous AS BIGINT) FROM pragma_synchronous",
            2_i64,
        ),
        (
            "SELECT CAST(foreign_keys AS BIGINT) FROM pragma_foreign_keys",
            1,
        ),
    ] {
        assert_eq!(
            tx.query(pragma).fetch_scalar::<i64>().await.unwrap(),
            expected,
            "{pragma}"
        );
    }
    let mode: String = tx
        .query("SELECT journal_mode FROM pragma_journal_mode")
        .fetch_scalar()
        .await
        .unwrap();
    assert_eq!(mode, "wal");
    drop(tx);
    db.close().await;
    // A clean close leaves one file.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let db = Db::open(&settings, &MIGRATOR).await.unwrap();
    assert_eq!(count(&db).await, 1);
    db.close().await;
}

#[tokio::test]
async fn a_sqlite_lock_held_by_another_process_is_busy() {
    let database = testkit::database::TestDb::sqlite(&MIGRATOR).await;
    // A second handle is what another process would be.
    let other = Db::connect(database.settings()).await.unwrap();
    let held = other.begin().await.unwrap();
    let error = database.db.begin().await.err().unwrap();
    assert!(error.is_busy(), "{error:?}");
    held.rollback().await.unwrap();
    put(&database.db, &thing("later", 1)).await.unwrap();
    other.close().await;
    database.close().await;
}

static WITH_GAP: Migrator = db::migrate!("tests/migrations_gap");
static WITHOUT_GAP: Migrator = db::migrate!("tests/migrations_no_gap");

both_databases! { WITH_GAP;
    async fn a_migration_between_applied_ones_is_made_up_for(db: Db) {
        db.migrate(&WITHOUT_GAP).await.unwrap();
        let mut conn = db.acquire().await.unwrap();
        let between: Vec<(i64,)> =
            conn.query("SELECT number FROM between_them").fetch_all().await.unwrap();
        assert_eq!(between, []);
        drop(conn);
        let error = db.migrate(&WITH_GAP).await.unwrap_err();
        assert!(matches!(error, Error::SchemaTooNew { version: 2 }), "{error}");
    }
}
