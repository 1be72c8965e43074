//! The database's clock, for the deadlines that several processes must agree on (leases).
//!
//! Everything else takes the process clock from its context. SQLite's clock is this machine's, in
//! milliseconds; PostgreSQL's is the server's at this very moment, not at the start of the
//! transaction, which may have waited for a lock since.

use chrono::{DateTime, Utc};

use crate::conn::Conn;
use crate::dialect::Dialect;
use crate::error::Result;

impl Conn {
    /// The database's current time, at most microseconds precise.
    pub async fn database_now(&mut self) -> Result<DateTime<Utc>> {
        let sql = match self.dialect() {
            Dialect::Sqlite => "SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')",
            Dialect::Postgres => "SELECT clock_timestamp()",
        };
        self.query(sql).fetch_scalar().await
    }
}
