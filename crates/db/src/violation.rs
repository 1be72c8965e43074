//! Which constraint a row violated, told the same way by both databases.
//!
//! PostgreSQL names the constraint and lists the columns in the error's detail; SQLite lists only
//! `table.column` pairs in its message. Table and columns are what both know.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// What is known of a violated unique or foreign key constraint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violation {
    pub table: Option<String>,
    /// In the order of the index. Empty for an index on expressions in SQLite, and for foreign keys
    /// there.
    pub columns: Vec<String>,
    /// The constraint's or index's name, where the database tells it.
    pub constraint: Option<String>,
}

impl Violation {
    pub(crate) fn of(error: &dyn DatabaseError) -> Self {
        match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => Self {
                table: error.table().map(str::to_owned),
                columns: error.detail().map(key_columns).unwrap_or_default(),
                constraint: error.constraint().map(str::to_owned),
            },
            None => Self::of_sqlite(error.message()),
        }
    }

    /// `UNIQUE constraint failed: runs.workspace_id, runs.number`, or `…: index 'name'`.
    fn of_sqlite(message: &str) -> Self {
        let Some((_, what)) = message.split_once("constraint failed: ") else {
            return Self::default();
        };
        if let Some(index) = what.strip_prefix("index '") {
            return Self {
                constraint: Some(index.trim_end_matches('\'').to_owned()),
                ..Self::default()
            };
        }
        let pairs: Vec<_> = what
            .split(", ")
            .filter_map(|pair| pair.split_once('.'))
            .collect();
        Self {
            table: pairs.first().map(|(table, _)| (*table).to_owned()),
            columns: pairs
                .iter()
                .map(|(_, column)| (*column).to_owned())
                .collect(),
            constraint: None,
        }
    }

    pub(crate) fn is_on(&self, table: &str, columns: &[&str]) -> bool {
        self.table.as_deref() == Some(table) && self.columns == columns
    }
}

/// `Key (workspace_id, number)=(ws-1, 7) already exists.`; the words around depend on the
/// server's language, the parentheses don't.
fn key_columns(detail: &str) -> Vec<String> {
    let Some((before, _)) = detail.split_once(")=(") else {
        return Vec::new();
    };
    let Some((_, columns)) = before.split_once('(') else {
        return Vec::new();
    };
    columns
        .split(", ")
        .map(|column| column.trim_matches('"').to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_messages_are_read() {
        let violation =
            Violation::of_sqlite("UNIQUE constraint failed: runs.workspace_id, runs.number");
        assert!(violation.is_on("runs", &["workspace_id", "number"]));
        let violation = Violation::of_sqlite("UNIQUE constraint failed: index 'names'");
        assert_eq!(violation.constraint.as_deref(), Some("names"));
        assert_eq!(
            Violation::of_sqlite("FOREIGN KEY constraint failed"),
            Violation::default()
        );
    }

    #[test]
    fn postgres_details_are_read_in_any_language() {
        for detail in [
            "Key (a, \"B\")=(1, 2) already exists.",
            "Schlüssel »(a, B)=(1, 2)« existiert.",
        ] {
            assert_eq!(key_columns(detail), ["a", "B"]);
        }
        assert_eq!(key_columns("nothing of that shape"), Vec::<String>::new());
    }
}
