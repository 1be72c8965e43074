//! One statement with its values, on its way to either database.

use futures::TryStreamExt;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, PgConnection, SqlSafeStr, SqlStr, SqliteConnection};

use crate::error::{Error, Result};
use crate::param::{Param, Record};

/// A statement and the values bound so far.
#[must_use = "a query does nothing until it is executed or fetched"]
pub struct Query<'c> {
    sql: SqlStr,
    /// The literal the statement began with: what errors call it.
    label: &'static str,
    /// Whether the prepared statement is kept for the next use; built texts vary too much.
    keep: bool,
    target: Target<'c>,
    /// The first value that failed to encode, reported when the query runs.
    error: Option<BoxDynError>,
}

pub(crate) enum Target<'c> {
    Sqlite(&'c mut SqliteConnection, SqliteArguments),
    Postgres(&'c mut PgConnection, PgArguments),
}

/// Runs `$call` on the sqlx query of whichever database `$self` is for.
macro_rules! run {
    ($self:ident, $make:ident, |$query:ident, $conn:ident| $call:expr) => {{
        let statement = $self.label;
        if let Some(error) = $self.error {
            return Err(Error::of_statement(sqlx::Error::Encode(error), statement));
        }
        let result = match $self.target {
            Target::Sqlite($conn, args) => {
                let $query = sqlx::$make($self.sql, args).persistent($self.keep);
                $call
            }
            Target::Postgres($conn, args) => {
                let $query = sqlx::$make($self.sql, args).persistent($self.keep);
                $call
            }
        };
        result.map_err(|source| Error::of_statement(source, statement))
    }};
}

impl<'c> Query<'c> {
    pub(crate) fn new(sql: &'static str, target: Target<'c>) -> Self {
        Self {
            sql: sql.into_sql_str(),
            label: sql,
            keep: true,
            target,
            error: None,
        }
    }

    /// Replaces the text by one put together at run time.
    pub(crate) fn with_text(self, sql: SqlStr) -> Self {
        Self {
            sql,
            keep: false,
            ..self
        }
    }

    /// As [`Self::with_text`], for a text that comes again and again: it is prepared once.
    pub(crate) fn with_kept_text(self, sql: SqlStr) -> Self {
        Self { sql, ..self }
    }

    pub fn bind<'q>(mut self, value: impl Param<'q>) -> Self {
        self.push(value);
        self
    }

    /// Binds a value and tells its number.
    pub(crate) fn push<'q>(&mut self, value: impl Param<'q>) -> usize {
        let (added, count) = match &mut self.target {
            Target::Sqlite(_, args) => (Arguments::add(args, value), args.len()),
            Target::Postgres(_, args) => (Arguments::add(args, value), args.len()),
        };
        if let Err(error) = added {
            self.error.get_or_insert(error);
        }
        count
    }

    /// The number of rows affected.
    pub async fn execute(self) -> Result<u64> {
        run!(self, query_with, |query, conn| query
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))
    }

    /// The one row; [`Error::NoRow`] when there is none.
    pub async fn fetch_one<T: Record>(self) -> Result<T> {
        run!(self, query_as_with, |query, conn| query
            .fetch_one(conn)
            .await)
    }

    /// The first column of the one row.
    pub async fn fetch_scalar<T>(self) -> Result<T>
    where
        (T,): Record,
    {
        let (value,) = self.fetch_one().await?;
        Ok(value)
    }

    pub async fn fetch_optional<T: Record>(self) -> Result<Option<T>> {
        run!(self, query_as_with, |query, conn| query
            .fetch_optional(conn)
            .await)
    }

    /// All rows, in memory: give the statement a `LIMIT` unless something else bounds it.
    pub async fn fetch_all<T: Record>(self) -> Result<Vec<T>> {
        run!(self, query_as_with, |query, conn| query
            .fetch_all(conn)
            .await)
    }

    /// Hands over row after row as they come, one in memory at a time.
    ///
    /// # Errors
    /// The database's own, or what `each` fails with.
    pub(crate) async fn for_each<T: Record, E: From<Error>>(
        self,
        mut each: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failed = None;
        let drained: Result<()> = async {
            run!(self, query_as_with, |query, conn| {
                let mut rows = query.fetch(conn);
                loop {
                    match rows.try_next().await {
                        Ok(Some(row)) => {
                            if let Err(error) = each(row) {
                                failed = Some(error);
                                break Ok(());
                            }
                        }
                        Ok(None) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                }
            })
        }
        .await;
        drained?;
        failed.map_or(Ok(()), Err)
    }
}
