//! The handle of a database.

use std::sync::Arc;

use crate::conn::{Conn, Inner};
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::migrate::Migrator;
use crate::settings::{Settings, Target};
use crate::tx::Tx;
use crate::wake::{Listener, Wake};
use crate::{postgres, sqlite};

/// A database. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Db(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pools: Pools,
    wake: Arc<Wake>,
}

#[derive(Debug)]
enum Pools {
    Sqlite(sqlite::Pools),
    Postgres(postgres::Pools),
}

impl Db {
    /// Connects and brings the schema up to date.
    pub async fn open(settings: &Settings, migrator: &Migrator) -> Result<Self> {
        let db = Self::connect(settings).await?;
        db.migrate(migrator).await?;
        Ok(db)
    }

    /// Connects and leaves the schema as it is. A missing SQLite file is made.
    pub async fn connect(settings: &Settings) -> Result<Self> {
        let pools = match settings.target()? {
            Target::Sqlite(path) => Pools::Sqlite(sqlite::Pools::open(&path, settings).await?),
            Target::Postgres(options) => {
                Pools::Postgres(postgres::Pools::open(*options, settings).await?)
            }
        };
        Ok(Self(Arc::new(Shared {
            pools,
            wake: Arc::new(Wake::new()),
        })))
    }

    /// Applies the migrations that the database doesn't have yet.
    pub async fn migrate(&self, migrator: &Migrator) -> Result<()> {
        match &self.0.pools {
            Pools::Sqlite(pools) => pools.migrate(migrator).await,
            Pools::Postgres(pools) => pools.migrate(migrator).await,
        }
    }

    pub fn dialect(&self) -> Dialect {
        match &self.0.pools {
            Pools::Sqlite(_) => Dialect::Sqlite,
            Pools::Postgres(_) => Dialect::Postgres,
        }
    }

    /// A connection for reading; each statement stands alone. Writes go through [`Db::begin`]:
    /// SQLite refuses them here.
    pub async fn acquire(&self) -> Result<Conn> {
        let inner = match &self.0.pools {
            Pools::Sqlite(pools) => pools.readers.acquire().await.map(Inner::Sqlite),
            Pools::Postgres(pools) => pools.pool.acquire().await.map(Inner::Postgres),
        };
        inner
            .map(Conn)
            .map_err(|source| Error::of_statement(source, "(acquire a connection)"))
    }

    /// A transaction; rolled back unless committed.
    ///
    /// On PostgreSQL it is READ COMMITTED: lock what must not change ([`Tx::lock_row`]). On SQLite
    /// it takes the write lock at once, because a deferred transaction that reads first and writes
    /// later fails as soon as another writer got in between, whatever the busy timeout. Keep it
    /// short, and do no other I/O while it is open.
    pub async fn begin(&self) -> Result<Tx> {
        let inner = match &self.0.pools {
            Pools::Sqlite(pools) => pools
                .writer
                .begin_with("BEGIN IMMEDIATE")
                .await
                .map(Inner::SqliteTx),
            Pools::Postgres(pools) => pools.pool.begin().await.map(Inner::PostgresTx),
        };
        match inner {
            Ok(inner) => Ok(Tx::new(Conn(inner), self.0.wake.clone())),
            Err(source) => Err(Error::of_statement(source, "BEGIN")),
        }
    }

    /// A transaction that only reads, and sees the database as it is at its first statement, however
    /// long it takes and whatever others write meanwhile.
    pub async fn snapshot(&self) -> Result<Tx> {
        let inner = match &self.0.pools {
            Pools::Sqlite(pools) => pools.readers.begin().await.map(Inner::SqliteTx),
            Pools::Postgres(pools) => pools
                .pool
                .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .await
                .map(Inner::PostgresTx),
        };
        let inner = inner.map_err(|source| Error::of_statement(source, "BEGIN (snapshot)"))?;
        let mut tx = Tx::new(Conn(inner), self.0.wake.clone());
        if self.dialect() == Dialect::Postgres {
            // A whole table is read with one statement.
            tx.query("SET LOCAL statement_timeout = 0")
                .execute()
                .await?;
        }
        Ok(tx)
    }

    /// Wake-ups of a channel from now on: from this process at once, from other processes on the
    /// same PostgreSQL database through LISTEN/NOTIFY. Several may arrive as one; one may get lost
    /// when a connection breaks, after which every channel is woken once. On SQLite other processes
    /// aren't heard.
    pub fn listen(&self, channel: &'static str) -> Listener {
        if let Pools::Postgres(pools) = &self.0.pools {
            self.0.wake.hear_other_processes(&pools.options);
        }
        self.0.wake.listen(channel)
    }

    /// Waits for the connections in use and closes all; later calls fail as unavailable.
    pub async fn close(&self) {
        self.0.wake.stop();
        match &self.0.pools {
            Pools::Sqlite(pools) => pools.close().await,
            Pools::Postgres(pools) => pools.pool.close().await,
        }
    }
}
