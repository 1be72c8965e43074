//! PostgreSQL: one pool, with limits on what a statement may wait and run.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::migrate::Migrator;
use crate::settings::Settings;

/// A transaction that a stuck task left open is ended by the server after this.
const IDLE_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Pools {
    pub(crate) pool: PgPool,
    /// Without the limits: for migrations and for listening.
    pub(crate) options: PgConnectOptions,
}

impl Pools {
    pub(crate) async fn open(options: PgConnectOptions, settings: &Settings) -> Result<Self> {
        let limited = options.clone().statement_cache_capacity(500).options([
            ("statement_timeout", settings.statement_timeout.as_millis()),
            ("lock_timeout", settings.lock_timeout.as_millis()),
            (
                "idle_in_transaction_session_timeout",
                IDLE_TRANSACTION_TIMEOUT.as_millis(),
            ),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(settings.pool_size)
            .acquire_timeout(settings.acquire_timeout)
            .connect_with(limited)
            .await
            .map_err(|source| Error::Open { source })?;
        Ok(Self { pool, options })
    }

    /// Replicas that start together wait for each other on an advisory lock.
    pub(crate) async fn migrate(&self, migrator: &Migrator) -> Result<()> {
        let open = |source| Error::Open { source };
        let mut conn = self.options.connect().await.map_err(open)?;
        let migrations = migrator.for_dialect(Dialect::Postgres);
        migrations
            .run_direct(None, &mut conn, false)
            .await
            .map_err(Error::of_migration)?;
        conn.close().await.map_err(open)
    }
}
