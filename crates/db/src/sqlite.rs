//! SQLite: one writer connection and a few readers on a WAL file.
//!
//! SQLite has one writer at a time anyway. Waiting for it in our own fair queue instead of in its
//! busy handler avoids storms of `SQLITE_BUSY`; the busy timeout is for other processes (backup,
//! administration). Readers are set to refuse writes, so that a use of `acquire` that belongs into
//! a transaction is found by the first test.
//!
//! `synchronous=FULL`: a committed state must survive a power loss.

use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::migrate::Migrator;
use crate::settings::Settings;

/// How long to wait for another process that holds the write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The WAL is cut back to this after a checkpoint, so that one big transaction doesn't leave a
/// huge file behind.
const WAL_LIMIT_BYTES: &str = "67108864";

#[derive(Debug)]
pub(crate) struct Pools {
    pub(crate) readers: SqlitePool,
    pub(crate) writer: SqlitePool,
    options: SqliteConnectOptions,
}

impl Pools {
    pub(crate) async fn open(path: &Path, settings: &Settings) -> Result<Self> {
        create_private(path).map_err(|source| Error::Open {
            source: source.into(),
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .statement_cache_capacity(500)
            .pragma("journal_size_limit", WAL_LIMIT_BYTES);
        let writer = pool(1, settings)
            .before_acquire(|conn, _| Box::pin(is_between_transactions(conn)))
            .connect_with(options.clone())
            .await
            .map_err(|source| Error::Open { source })?;
        // Last of the pragmas, so that the others still take effect.
        let readers = pool(settings.pool_size, settings)
            .connect_with(options.clone().pragma("query_only", "ON"))
            .await
            .map_err(|source| Error::Open { source })?;
        Ok(Self {
            readers,
            writer,
            options,
        })
    }

    /// Migrates on a connection that doesn't enforce foreign keys, because rebuilding a table would
    /// delete the rows that refer to it; they are checked afterwards instead.
    pub(crate) async fn migrate(&self, migrator: &Migrator) -> Result<()> {
        let open = |source| Error::Open { source };
        let mut conn = self
            .options
            .clone()
            .foreign_keys(false)
            .connect()
            .await
            .map_err(open)?;
        let migrations = migrator.for_dialect(Dialect::Sqlite);
        migrations
            .run_direct(None, &mut conn, false)
            .await
            .map_err(Error::of_migration)?;
        const CHECK: &str = "SELECT COUNT(*) FROM pragma_foreign_key_check";
        let (broken,): (i64,) = sqlx::query_as(CHECK)
            .fetch_one(&mut conn)
            .await
            .map_err(|source| Error::of_statement(source, CHECK))?;
        conn.close().await.map_err(open)?;
        match broken {
            0 => Ok(()),
            rows => {
                let message = format!("{rows} rows refer to rows that don't exist");
                Err(Error::Open {
                    source: sqlx::Error::Protocol(message),
                })
            }
        }
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        // Last, so that closing it checkpoints the WAL and removes the side files.
        self.writer.close().await;
    }
}

fn pool(size: u32, settings: &Settings) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(size)
        .acquire_timeout(settings.acquire_timeout)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Whether the writer can begin a transaction; if not, the pool replaces it.
///
/// SQLite undoes a transaction by itself when the disk is full or fails. The driver doesn't see that,
/// its own ROLLBACK is refused, and it takes the connection for one inside a transaction for ever.
async fn is_between_transactions(conn: &mut SqliteConnection) -> sqlx::Result<bool> {
    // Comes after whatever is still queued, a rollback above all.
    conn.ping().await?;
    Ok(!conn.is_in_transaction())
}

/// Makes the file readable by its owner only; SQLite gives its side files the same mode.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
