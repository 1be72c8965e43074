//! A transaction: what a use case does all of, or nothing.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::AssertSqlSafe;
use sqlx::SqlSafeStr;

use crate::conn::{Conn, Inner};
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::param::Param;
use crate::wake::Wake;

/// An open transaction, rolled back when dropped. It derefs to [`Conn`].
#[must_use = "a transaction that isn't committed is rolled back"]
pub struct Tx {
    conn: Conn,
    wake: Arc<Wake>,
    channels: BTreeSet<&'static str>,
}

impl Tx {
    pub(crate) fn new(conn: Conn, wake: Arc<Wake>) -> Self {
        Self {
            conn,
            wake,
            channels: BTreeSet::new(),
        }
    }

    /// Locks the row of `table` with this `id` until the transaction ends, if it exists, so that
    /// what follows is serial per row. SQLite has one writer, there is nothing to do.
    pub async fn lock_row<'q>(&mut self, table: &'static str, id: impl Param<'q>) -> Result<()> {
        match self.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => {
                let sql = format!("SELECT 1 FROM {table} WHERE id = $1 FOR UPDATE");
                let query = self.query("SELECT … FOR UPDATE");
                query
                    .with_text(AssertSqlSafe(sql).into_sql_str())
                    .bind(id)
                    .execute()
                    .await?;
                Ok(())
            }
        }
    }

    /// Wakes the listeners of a channel once the transaction is committed; see [`crate::Db::listen`].
    pub fn notify(&mut self, channel: &'static str) {
        self.channels.insert(channel);
    }

    /// Makes the changes permanent, then wakes listeners.
    ///
    /// # Errors
    /// [`Error::CommitUnknown`] when the database failed meanwhile, so that the changes may have been
    /// made nevertheless; any other error means that they haven't.
    pub async fn commit(mut self) -> Result<()> {
        if self.dialect() == Dialect::Postgres && !self.channels.is_empty() {
            let payload = self.wake.payload(&self.channels);
            self.query("SELECT pg_notify($1, $2)")
                .bind(crate::wake::PG_CHANNEL)
                .bind(payload)
                .execute()
                .await?;
        }
        let result = match self.conn.0 {
            Inner::SqliteTx(tx) => tx.commit().await,
            Inner::PostgresTx(tx) => tx.commit().await,
            Inner::Sqlite(_) | Inner::Postgres(_) => unreachable!("Tx is only made by Db::begin"),
        };
        let result = result.map_err(Error::of_commit);
        if matches!(result, Ok(()) | Err(Error::CommitUnknown { .. })) {
            self.wake.wake(self.channels.iter().copied());
        }
        result
    }

    /// Undoes the changes now rather than when dropped, which is soon after.
    pub async fn rollback(self) -> Result<()> {
        let result = match self.conn.0 {
            Inner::SqliteTx(tx) => tx.rollback().await,
            Inner::PostgresTx(tx) => tx.rollback().await,
            Inner::Sqlite(_) | Inner::Postgres(_) => unreachable!("Tx is only made by Db::begin"),
        };
        result.map_err(|source| Error::of_statement(source, "ROLLBACK"))
    }
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}
