//! What can go wrong with a database, sorted by what a caller can do about it.

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

use crate::violation::Violation;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed database operation. `statement` is text from the source code and holds no values.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database URL can't be used: {reason}")]
    Url { reason: String },
    #[error("can't open the database")]
    Open { source: sqlx::Error },
    #[error("can't bring the database schema up to date")]
    Migrate { source: Box<MigrateError> },
    #[error(
        "the database was made by a newer version of this program (it has migration {version}); \
         start that version, or restore a backup"
    )]
    SchemaTooNew { version: i64 },
    /// What treats all tables alike met one that it can't treat.
    #[error("the database schema isn't as expected: {reason}")]
    Schema { reason: String },
    #[error("a row with the same key exists (statement: {statement})")]
    Unique {
        violation: Box<Violation>,
        statement: &'static str,
        source: sqlx::Error,
    },
    #[error("a row refers to one that doesn't exist, or is referred to (statement: {statement})")]
    ForeignKey {
        violation: Box<Violation>,
        statement: &'static str,
        source: sqlx::Error,
    },
    /// Another transaction was in the way: a lock not granted in time, a deadlock, a serialisation
    /// failure, a statement over its time limit. Nothing was changed; the use case may be repeated.
    #[error("the database is busy (statement: {statement})")]
    Busy {
        statement: &'static str,
        source: sqlx::Error,
    },
    /// The database can't be reached, or has no disk space or connections left.
    #[error("the database is not available (statement: {statement})")]
    Unavailable {
        statement: &'static str,
        source: sqlx::Error,
    },
    #[error("the row to read doesn't exist (statement: {statement})")]
    NoRow { statement: &'static str },
    /// A row that the program can't read: damaged, or written by another version.
    #[error("a row can't be read (statement: {statement})")]
    Unreadable {
        statement: &'static str,
        source: sqlx::Error,
    },
    #[error("a value can't be stored (statement: {statement})")]
    Unstorable {
        statement: &'static str,
        source: sqlx::Error,
    },
    /// The database failed during the commit: the change may or may not have been made.
    #[error("the database failed during a commit, whose outcome is unknown")]
    CommitUnknown { source: sqlx::Error },
    #[error("the database refused a statement: {statement}")]
    Refused {
        statement: &'static str,
        source: sqlx::Error,
    },
}

impl Error {
    /// Whether a unique constraint was violated, whichever.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Unique { .. })
    }

    /// Whether the unique constraint or index over exactly these columns was violated. Two partial
    /// indexes over the same columns can't be told apart on SQLite.
    pub fn is_unique_violation_of(&self, table: &str, columns: &[&str]) -> bool {
        matches!(self, Self::Unique { violation, .. } if violation.is_on(table, columns))
    }

    pub fn is_foreign_key_violation(&self) -> bool {
        matches!(self, Self::ForeignKey { .. })
    }

    /// Whether nothing was changed and the same transaction, tried again, may well succeed.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// Whether the database can't take requests at the moment.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    pub(crate) fn of_statement(source: sqlx::Error, statement: &'static str) -> Self {
        use sqlx::Error as E;
        if let Some(error) = source.as_database_error() {
            let (kind, trouble) = (error.kind(), trouble(error));
            let violation = Box::new(Violation::of(error));
            return match (kind, trouble) {
                (ErrorKind::UniqueViolation, _) => Self::Unique {
                    violation,
                    statement,
                    source,
                },
                (ErrorKind::ForeignKeyViolation, _) => Self::ForeignKey {
                    violation,
                    statement,
                    source,
                },
                (_, Some(Trouble::Busy)) => Self::Busy { statement, source },
                (_, Some(Trouble::Down)) => Self::Unavailable { statement, source },
                (_, None) => Self::Refused { statement, source },
            };
        }
        if matches!(source, E::RowNotFound) {
            Self::NoRow { statement }
        } else if is_about_the_connection(&source) {
            Self::Unavailable { statement, source }
        } else if matches!(source, E::Encode(_)) {
            Self::Unstorable { statement, source }
        } else if is_about_reading(&source) {
            Self::Unreadable { statement, source }
        } else {
            Self::Refused { statement, source }
        }
    }

    /// Only a refusal says that nothing was committed. A server that is shutting down may answer
    /// so after the commit, and a failed write to the log may survive a crash all the same.
    pub(crate) fn of_commit(source: sqlx::Error) -> Self {
        let refused = source
            .as_database_error()
            .is_some_and(|error| !matches!(trouble(error), Some(Trouble::Down)));
        if refused {
            Self::of_statement(source, "COMMIT")
        } else {
            Self::CommitUnknown { source }
        }
    }

    pub(crate) fn of_migration(source: MigrateError) -> Self {
        if let MigrateError::VersionMissing(version) = source {
            Self::SchemaTooNew { version }
        } else {
            Self::Migrate {
                source: Box::new(source),
            }
        }
    }
}

fn is_about_the_connection(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    matches!(
        error,
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed
    )
}

fn is_about_reading(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    matches!(
        error,
        E::ColumnDecode { .. }
            | E::Decode(_)
            | E::ColumnNotFound(_)
            | E::ColumnIndexOutOfBounds { .. }
            | E::TypeNotFound { .. }
    )
}

enum Trouble {
    Busy,
    Down,
}

/// PostgreSQL has SQLSTATE codes of five characters
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>), SQLite decimal result codes
/// whose low byte is the primary one (<https://www.sqlite.org/rescode.html>).
fn trouble(error: &dyn sqlx::error::DatabaseError) -> Option<Trouble> {
    const SQLITE_BUSY: u32 = 5;
    const SQLITE_LOCKED: u32 = 6;
    const SQLITE_IOERR: u32 = 10;
    const SQLITE_FULL: u32 = 13;
    const SQLITE_CANTOPEN: u32 = 14;

    let code = error.code()?;
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        return match code.parse::<u32>().ok()? & 0xff {
            SQLITE_BUSY | SQLITE_LOCKED => Some(Trouble::Busy),
            SQLITE_IOERR | SQLITE_FULL | SQLITE_CANTOPEN => Some(Trouble::Down),
            _ => None,
        };
    }
    match code.as_ref() {
        // Serialisation failure, deadlock, lock not available, statement over its time limit.
        "40001" | "40P01" | "55P03" | "57014" => Some(Trouble::Busy),
        // Connection exceptions, resources used up, shutting or starting up.
        code if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") => {
            Some(Trouble::Down)
        }
        // A hot standby took over while we were connected: reconnecting finds the new primary.
        "25006" => Some(Trouble::Down),
        _ => None,
    }
}
