//! What tables there are, as the database itself tells: for what treats all of them alike, which is
//! backup and restore.
//!
//! Decided against a list in the source code: the table that somebody forgets to add to it is the
//! one that is missing when a backup is needed.

use crate::conn::Conn;
use crate::dialect::Dialect;
use crate::error::{Error, Result};

/// A table and how its columns are written as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
}

/// The column types that both databases share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    Integer,
    Boolean,
    Timestamp,
    Json,
    Bytes,
}

impl ColumnKind {
    /// By the type's name, as a migration or PostgreSQL's catalogue writes it.
    fn of(declared: &str) -> Option<Self> {
        Some(match declared.to_ascii_lowercase().as_str() {
            "text" => Self::Text,
            "bigint" => Self::Integer,
            "boolean" => Self::Boolean,
            "timestamptz" | "timestamp with time zone" => Self::Timestamp,
            "jsonb" => Self::Json,
            "bytea" => Self::Bytes,
            _ => return None,
        })
    }
}

impl Conn {
    /// All tables of the application, each after those that it refers to.
    ///
    /// # Errors
    /// [`Error::Schema`] for a column type that the databases don't share, or references in a circle.
    pub async fn tables(&mut self) -> Result<Vec<Table>> {
        let columns = match self.dialect() {
            Dialect::Sqlite => {
                self.query(
                    "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c
                     WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> '_sqlx_migrations'
                     ORDER BY m.name, c.cid",
                )
            }
            Dialect::Postgres => self.query(
                "SELECT c.table_name::text, c.column_name::text, c.data_type::text
                 FROM information_schema.columns c
                 JOIN information_schema.tables t USING (table_schema, table_name)
                 WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'
                   AND c.table_name <> '_sqlx_migrations'
                 ORDER BY c.table_name, c.ordinal_position",
            ),
        };
        let columns: Vec<(String, String, String)> = columns.fetch_all().await?;
        let references = self.references().await?;
        in_order(gathered(columns)?, references)
    }

    /// The number of the newest migration; none in an empty database.
    ///
    /// # Errors
    /// The database's own.
    pub async fn schema_version(&mut self) -> Result<Option<i64>> {
        let known: i64 = match self.dialect() {
            Dialect::Sqlite => {
                self.query("SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
            }
            Dialect::Postgres => self.query(
                "SELECT COUNT(*) FROM information_schema.tables
                 WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'",
            ),
        }
        .fetch_scalar()
        .await?;
        if known == 0 {
            return Ok(None);
        }
        self.query("SELECT MAX(version) FROM _sqlx_migrations")
            .fetch_scalar()
            .await
    }

    /// Pairs of a table and one that it refers to.
    async fn references(&mut self) -> Result<Vec<(String, String)>> {
        match self.dialect() {
            Dialect::Sqlite => self.query(
                "SELECT DISTINCT m.name, f.\"table\"
                 FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
            ),
            Dialect::Postgres => self.query(
                "SELECT DISTINCT one.relname::text, other.relname::text FROM pg_constraint c
                 JOIN pg_class one ON one.oid = c.conrelid JOIN pg_class other ON other.oid = c.confrelid
                 WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace",
            ),
        }
        .fetch_all()
        .await
    }
}

fn gathered(columns: Vec<(String, String, String)>) -> Result<Vec<Table>> {
    let mut tables: Vec<Table> = Vec::new();
    for (table, name, declared) in columns {
        let kind = ColumnKind::of(&declared).ok_or_else(|| Error::Schema {
            reason: format!("{table}.{name} has the type {declared}"),
        })?;
        let column = Column { name, kind };
        match tables.last_mut() {
            Some(last) if last.name == table => last.columns.push(column),
            _ => tables.push(Table {
                name: table,
                columns: vec![column],
            }),
        }
    }
    Ok(tables)
}

/// Each table after those that it refers to; otherwise by name.
fn in_order(mut waiting: Vec<Table>, mut references: Vec<(String, String)>) -> Result<Vec<Table>> {
    references.retain(|(one, other)| one != other);
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let refers = |table: &Table| references.iter().any(|(one, _)| *one == table.name);
        let (blocked, ready): (Vec<_>, Vec<_>) = waiting.into_iter().partition(refers);
        if ready.is_empty() {
            let names: Vec<_> = blocked.into_iter().map(|table| table.name).collect();
            return Err(Error::Schema {
                reason: format!("these tables refer to each other: {}", names.join(", ")),
            });
        }
        references.retain(|(_, other)| !ready.iter().any(|table| table.name == *other));
        ordered.extend(ready);
        waiting = blocked;
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Table {
        Table {
            name: name.into(),
            columns: vec![],
        }
    }

    #[test]
    fn tables_come_after_those_they_refer_to() {
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        let references = vec![pair("a", "c"), pair("c", "b"), pair("b", "b")];
        let ordered = in_order(vec![table("a"), table("b"), table("c")], references).unwrap();
        let names: Vec<_> = ordered.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["b", "c", "a"]);
        let circle = vec![pair("a", "b"), pair("b", "a")];
        assert!(in_order(vec![table("a"), table("b")], circle).is_err());
    }

    #[test]
    fn a_type_that_only_one_database_has_is_refused() {
        let row = |kind: &str| vec![("t".to_owned(), "c".to_owned(), kind.to_owned())];
        assert!(gathered(row("TIMESTAMPTZ")).is_ok());
        let error = gathered(row("uuid")).unwrap_err().to_string();
        assert!(error.contains("t.c"), "{error}");
    }
}
