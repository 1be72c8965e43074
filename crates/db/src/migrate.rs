//! Schema changes: one set of files for both databases.
//!
//! A file is `NUMBER_NAME.sql`. Where a change can't be written once, two files share the number:
//! `NUMBER_NAME.sqlite.sql` and `NUMBER_NAME.postgres.sql`; each database sees its own. Applied
//! files never change (their digest is recorded), there are no down migrations, and a program
//! refuses a database that knows a migration it doesn't.

use std::borrow::Cow;

use sqlx::migrate::{Migration, Migrator as Sqlx};

use crate::dialect::Dialect;

/// The migrations of an application, embedded by [`migrate!`](crate::migrate!).
#[derive(Debug)]
pub struct Migrator(Sqlx);

impl Migrator {
    #[doc(hidden)]
    pub const fn new(all: Sqlx) -> Self {
        Self(all)
    }

    pub(crate) fn for_dialect(&self, dialect: Dialect) -> Sqlx {
        let own = self
            .0
            .iter()
            .filter(|migration| concerns(migration, dialect))
            .cloned();
        Sqlx {
            migrations: Cow::Owned(own.collect()),
            ..Sqlx::DEFAULT
        }
    }
}

/// The description is the file name without number and `.sql`, so a variant's ends in its dialect.
fn concerns(migration: &Migration, dialect: Dialect) -> bool {
    match migration.description.rsplit_once('.') {
        Some((_, variant)) => variant == dialect.word(),
        None => true,
    }
}

/// Embeds a folder of migrations, named relative to the caller's manifest:
/// `static MIGRATOR: db::Migrator = db::migrate!("migrations");`
///
/// The caller needs `sqlx` (feature `macros`, `migrate`) in its manifest, and a build script that
/// prints `cargo:rerun-if-changed=migrations`, so that a new file is noticed.
#[macro_export]
macro_rules! migrate {
    ($folder:literal) => {
        $crate::Migrator::new($crate::__sqlx::migrate!($folder))
    };
}
