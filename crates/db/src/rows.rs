//! Rows of any table as text, the same from either database and into either.
//!
//! Integers in decimal, booleans as `true` and `false`, times in RFC 3339, JSON as it is, bytes in
//! hexadecimal, NULL as nothing. Reading is done by the database itself (it makes a JSON array of
//! each row), writing binds typed values, so that what lies in a restored database is byte for
//! byte what the stores would have written.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::conn::Conn;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::query::Query;
use crate::tables::{Column, ColumnKind, Table};
use crate::tx::Tx;

/// The values of a row, in the order of its table's columns.
pub type Row = Vec<Option<String>>;

impl Conn {
    /// Gives each row of a table, as the JSON text of an array of texts and nulls. A row at a time
    /// is held in memory.
    ///
    /// # Errors
    /// The database's own, or what `each` fails with.
    pub async fn each_row<E: From<Error>>(
        &mut self,
        table: &Table,
        mut each: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = select(self.dialect(), table);
        self.query("SELECT … (all rows)")
            .with_text(sql)
            .for_each(|(row,): (String,)| each(&row))
            .await
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// The database's own.
    pub async fn count_rows(&mut self, table: &Table) -> Result<i64> {
        let sql = format!("SELECT COUNT(*) FROM \"{}\"", table.name);
        self.query("SELECT COUNT(*)")
            .with_text(AssertSqlSafe(sql).into_sql_str())
            .fetch_scalar()
            .await
    }
}

impl Tx {
    /// Inserts a row that [`Conn::each_row`] gave.
    ///
    /// # Errors
    /// [`Error::Schema`] when the row doesn't fit the table, else the database's own.
    pub async fn insert_row(&mut self, table: &Table, row: Row) -> Result<()> {
        if row.len() != table.columns.len() {
            return Err(Error::Schema {
                reason: format!(
                    "a row of {} has {} values, the table {} columns",
                    table.name,
                    row.len(),
                    table.columns.len()
                ),
            });
        }
        let mut query = self
            .query("INSERT … (a restored row)")
            .with_kept_text(insert(table));
        for (column, value) in table.columns.iter().zip(row) {
            query = bind(query, column, value).ok_or_else(|| Error::Schema {
                reason: format!("a value of {}.{} can't be read", table.name, column.name),
            })?;
        }
        query.execute().await?;
        Ok(())
    }
}

fn select(dialect: Dialect, table: &Table) -> SqlStr {
    let values: Vec<_> = table
        .columns
        .iter()
        .map(|column| match dialect {
            Dialect::Sqlite => sqlite_text(column),
            Dialect::Postgres => postgres_text(column),
        })
        .collect();
    let (values, name) = (values.join(", "), &table.name);
    let sql = match dialect {
        Dialect::Sqlite => format!("SELECT json_array({values}) FROM \"{name}\""),
        Dialect::Postgres => format!("SELECT json_build_array({values})::text FROM \"{name}\""),
    };
    AssertSqlSafe(sql).into_sql_str()
}

fn sqlite_text(Column { name, kind }: &Column) -> String {
    match kind {
        // JSON is text there; as an argument of its own it would become part of the array's JSON.
        ColumnKind::Text | ColumnKind::Timestamp | ColumnKind::Json => {
            format!("CAST(\"{name}\" AS TEXT)")
        }
        ColumnKind::Integer => format!("CAST(\"{name}\" AS TEXT)"),
        ColumnKind::Boolean => {
            format!("CASE \"{name}\" WHEN 1 THEN 'true' WHEN 0 THEN 'false' END")
        }
        ColumnKind::Bytes => {
            format!("CASE WHEN \"{name}\" IS NOT NULL THEN lower(hex(\"{name}\")) END")
        }
    }
}

fn postgres_text(Column { name, kind }: &Column) -> String {
    match kind {
        ColumnKind::Text => format!("\"{name}\""),
        ColumnKind::Integer | ColumnKind::Boolean | ColumnKind::Json => {
            format!("\"{name}\"::text")
        }
        ColumnKind::Timestamp => format!(
            "to_char(\"{name}\" AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')"
        ),
        ColumnKind::Bytes => format!("encode(\"{name}\", 'hex')"),
    }
}

fn insert(table: &Table) -> SqlStr {
    let names: Vec<_> = table
        .columns
        .iter()
        .map(|column| format!("\"{}\"", column.name))
        .collect();
    let places: Vec<_> = (1..=names.len())
        .map(|number| format!("${number}"))
        .collect();
    let sql = format!(
        "INSERT INTO \"{}\" ({}) VALUES ({})",
        table.name,
        names.join(", "),
        places.join(", ")
    );
    AssertSqlSafe(sql).into_sql_str()
}

/// `None` when the text is not a value of the column's type.
fn bind<'c>(query: Query<'c>, column: &Column, value: Option<String>) -> Option<Query<'c>> {
    Some(match column.kind {
        ColumnKind::Text => query.bind(value),
        ColumnKind::Integer => query.bind(read(value, |it| it.parse::<i64>().ok())?),
        ColumnKind::Boolean => query.bind(read(value, |it| it.parse::<bool>().ok())?),
        ColumnKind::Timestamp => query.bind(read(value, time)?),
        ColumnKind::Json => query.bind(read(value, |it| {
            serde_json::from_str::<serde_json::Value>(it).ok().map(Json)
        })?),
        ColumnKind::Bytes => query.bind(read(value, |it| hex::decode(it).ok())?),
    })
}

/// NULL stays NULL; a text that can't be read is `None`.
fn read<T>(value: Option<String>, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(text) => parse(&text).map(Some),
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.with_timezone(&Utc))
}
