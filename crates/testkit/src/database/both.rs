//! Runs one test on both databases.

use std::time::Duration;

use db::{Db, Migrator};

use super::TestDb;

/// A test that takes longer hangs. Generous, because machines are slow at times.
const TEST_LIMIT: Duration = Duration::from_secs(300);
pub(super) const CLOSE_LIMIT: Duration = Duration::from_secs(60);

/// Each `async fn name(db: Db)` becomes two tests, `name::sqlite` and `name::postgres`, each with a
/// fresh database that has the given migrations.
///
/// ```ignore
/// testkit::both_databases! { crate::MIGRATOR;
///     async fn a_name_is_unique(db: Db) { … }
/// }
/// ```
#[macro_export]
macro_rules! both_databases {
    ($migrator:expr; $($(#[$meta:meta])* async fn $name:ident($db:ident: $ty:ty) $body:block)*) => {
        $(
            async fn $name($db: $ty) $body

            mod $name {
                #[allow(unused_imports)]
                use super::*;

                #[test]
                $(#[$meta])*
                fn sqlite() {
                    $crate::database::on_sqlite(&$migrator, super::$name);
                }

                #[test]
                $(#[$meta])*
                fn postgres() {
                    $crate::database::on_postgres(&$migrator, super::$name);
                }
            }
        )*
    };
}

/// Runs a test on a fresh SQLite file.
pub fn on_sqlite<F: Future<Output = ()>>(migrator: &'static Migrator, test: impl FnOnce(Db) -> F) {
    block_on(async {
        let database = TestDb::sqlite(migrator).await;
        test(database.db.clone()).await;
        database.close().await;
    });
}

/// Runs a test on a fresh PostgreSQL database, or says that it is skipped.
pub fn on_postgres<F: Future<Output = ()>>(
    migrator: &'static Migrator,
    test: impl FnOnce(Db) -> F,
) {
    block_on(async {
        if let Some(database) = TestDb::postgres(migrator).await {
            test(database.db.clone()).await;
            database.close().await;
        }
    });
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let done = tokio::time::timeout(TEST_LIMIT, Box::pin(test)).await;
        assert!(
            done.is_ok(),
            "the test hangs: not finished after {TEST_LIMIT:?}"
        );
    });
}
