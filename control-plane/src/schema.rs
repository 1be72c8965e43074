//! The schema of both databases, embedded into the program.

/// All migrations, in order.
pub static MIGRATOR: db::Migrator = db::migrate!("./migrations");
