//! Where the database is and how to talk to it.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use domain::Secret;
use sqlx::postgres::PgConnectOptions;

use crate::error::{Error, Result};

/// Settings of a [`crate::Db`]. The defaults fit one control-plane process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME?…`. Secret because of the password.
    pub url: Secret,
    /// Connections of this process to PostgreSQL (one more listens for wake-ups); on SQLite the
    /// number of readers beside the one writer.
    pub pool_size: u32,
    /// How long to wait for a free connection, and on SQLite for the turn to write.
    pub acquire_timeout: Duration,
    /// PostgreSQL: a statement that runs longer is cancelled. Migrations are exempt.
    pub statement_timeout: Duration,
    /// PostgreSQL: a statement that waits longer for a lock is cancelled.
    pub lock_timeout: Duration,
    /// PostgreSQL: how this process appears in `pg_stat_activity`.
    pub application_name: String,
}

impl Settings {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: Secret::new(url.into()),
            pool_size: 10,
            acquire_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            application_name: "terrane".to_owned(),
        }
    }

    pub(crate) fn target(&self) -> Result<Target> {
        let url = self.url.expose();
        if let Some(path) = url.strip_prefix("sqlite:") {
            return sqlite_path(path.strip_prefix("//").unwrap_or(path)).map(Target::Sqlite);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url)
                .map_err(|source| Error::Url {
                    reason: source.to_string(),
                })?
                .application_name(&self.application_name);
            return Ok(Target::Postgres(Box::new(options)));
        }
        Err(Error::Url {
            reason: "it must begin with `sqlite:` or `postgres://`".to_owned(),
        })
    }
}

/// The parsed URL.
#[derive(Debug)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

fn sqlite_path(path: &str) -> Result<PathBuf> {
    if path.is_empty() || path.contains(":memory:") || path.contains('?') {
        let reason = "after `sqlite:` comes the path of a file, without parameters".to_owned();
        return Err(Error::Url { reason });
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target> {
        Settings::new(url).target()
    }

    #[test]
    fn a_file_is_taken_literally() {
        for (url, path) in [
            ("sqlite:data/terrane.db", "data/terrane.db"),
            ("sqlite:/var/lib/a b%20.db", "/var/lib/a b%20.db"),
            ("sqlite:///var/lib/t.db", "/var/lib/t.db"),
        ] {
            assert!(
                matches!(target(url), Ok(Target::Sqlite(found)) if found == std::path::Path::new(path))
            );
        }
    }

    #[test]
    fn other_urls_say_what_is_expected() {
        for url in [
            "",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a?mode=ro",
            "mysql://h/db",
        ] {
            assert!(matches!(target(url), Err(Error::Url { .. })), "{url}");
        }
    }

    #[test]
    fn a_bad_url_does_not_show_its_password() {
        let error = target("postgres://u:hunter2@host:notaport/db").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert!(!format!("{:?}", Settings::new("postgres://u:hunter2@h/db")).contains("hunter2"));
    }
}
