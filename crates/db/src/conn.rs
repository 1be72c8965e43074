//! A connection to either database.

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Postgres, Sqlite, Transaction};

use crate::builder::Builder;
use crate::dialect::Dialect;
use crate::query::{Query, Target};

/// A connection. Stores take `&mut Conn`; a [`crate::Tx`] derefs to one.
pub struct Conn(pub(crate) Inner);

pub(crate) enum Inner {
    Sqlite(PoolConnection<Sqlite>),
    SqliteTx(Transaction<'static, Sqlite>),
    Postgres(PoolConnection<Postgres>),
    PostgresTx(Transaction<'static, Postgres>),
}

impl Conn {
    pub fn dialect(&self) -> Dialect {
        match &self.0 {
            Inner::Sqlite(_) | Inner::SqliteTx(_) => Dialect::Sqlite,
            Inner::Postgres(_) | Inner::PostgresTx(_) => Dialect::Postgres,
        }
    }

    /// A statement with `$1`, `$2`… placeholders, to be bound in order.
    pub fn query(&mut self, sql: &'static str) -> Query<'_> {
        Query::new(sql, self.target())
    }

    /// A statement put together from literals and bound values; see [`Builder`].
    pub fn build(&mut self, sql: &'static str) -> Builder<'_> {
        Builder::new(sql, self.query(sql))
    }

    fn target(&mut self) -> Target<'_> {
        match &mut self.0 {
            Inner::Sqlite(conn) => Target::Sqlite(conn, SqliteArguments::default()),
            Inner::SqliteTx(conn) => Target::Sqlite(conn, SqliteArguments::default()),
            Inner::Postgres(conn) => Target::Postgres(conn, PgArguments::default()),
            Inner::PostgresTx(conn) => Target::Postgres(conn, PgArguments::default()),
        }
    }
}
