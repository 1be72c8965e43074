//! A fresh database for a test: a SQLite file, or a database of a real PostgreSQL server.

mod both;
mod server;

use std::collections::HashMap;
use std::sync::LazyLock;

use db::{Db, Migrator, Settings};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::sync::Mutex;

use server::Server;

pub use both::{on_postgres, on_sqlite};

static NO_SCHEMA: Migrator = Migrator::new(sqlx::migrate::Migrator::DEFAULT);

/// A database of its own for one test.
pub struct TestDb {
    pub db: Db,
    settings: Settings,
    home: Home,
}

enum Home {
    File(TempDir),
    Server {
        server: &'static Server,
        name: String,
    },
}

impl TestDb {
    /// A SQLite file in a temporary directory.
    pub async fn sqlite(migrator: &'static Migrator) -> Self {
        let dir = TempDir::new().unwrap();
        let settings = settings(format!("sqlite:{}", dir.path().join("test.db").display()));
        let db = Db::open(&settings, migrator).await.unwrap();
        Self {
            db,
            settings,
            home: Home::File(dir),
        }
    }

    /// A database of the PostgreSQL server that this process started for its tests; nothing, after
    /// saying so, when PostgreSQL isn't installed.
    ///
    /// The server sorts text like a dictionary, as production servers do: an `ORDER BY` that means
    /// bytes has to say `COLLATE "C"`.
    pub async fn postgres(migrator: &'static Migrator) -> Option<Self> {
        Self::on(Server::shared(), migrator).await
    }

    async fn on(
        server: Result<&'static Server, &'static str>,
        migrator: &'static Migrator,
    ) -> Option<Self> {
        let server = match server {
            Ok(server) => server,
            Err(why) => {
                crate::skip(why);
                return None;
            }
        };
        let template = migrated_template(server, migrator).await;
        let name = format!("test_{:016x}", rand::random::<u64>());
        admin(
            server,
            format!("CREATE DATABASE {name} TEMPLATE {template}"),
        )
        .await;
        let settings = settings(server.url(&name));
        let db = Db::connect(&settings).await.unwrap();
        Some(Self {
            db,
            settings,
            home: Home::Server { server, name },
        })
    }

    /// An empty database of that server, for a program that makes its own schema.
    pub async fn empty_postgres() -> Option<Self> {
        Self::postgres(&NO_SCHEMA).await
    }

    /// As [`Self::empty_postgres`], of a server that does all that a production server does to keep
    /// what is committed: for measurements.
    pub async fn durable_postgres() -> Option<Self> {
        Self::on(Server::durable(), &NO_SCHEMA).await
    }

    /// How to reach the same database once more, also from another process.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn url(&self) -> &str {
        self.settings.url.expose()
    }

    /// Closes the connections and deletes the database.
    ///
    /// # Panics
    /// When the test left a connection or a transaction open somewhere.
    pub async fn close(self) {
        let closed = tokio::time::timeout(both::CLOSE_LIMIT, self.db.close()).await;
        assert!(
            closed.is_ok(),
            "the test still holds a connection of its database"
        );
        match self.home {
            Home::File(dir) => dir.close().unwrap(),
            Home::Server { server, name } => {
                admin(server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
        }
    }
}

fn settings(url: String) -> Settings {
    Settings {
        pool_size: 5,
        ..Settings::new(url)
    }
}

/// A database with the schema, from which tests' databases are copied: much faster than migrating
/// each. One per server and set of migrations.
async fn migrated_template(server: &Server, migrator: &'static Migrator) -> String {
    static TEMPLATES: LazyLock<Mutex<HashMap<(usize, usize), String>>> =
        LazyLock::new(Mutex::default);
    let mut templates = TEMPLATES.lock().await;
    let key = (
        std::ptr::from_ref(server).addr(),
        std::ptr::from_ref(migrator).addr(),
    );
    if let Some(name) = templates.get(&key) {
        return name.clone();
    }
    let name = format!("template_{}", templates.len());
    // Left over when an earlier test failed to migrate.
    admin(
        server,
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    )
    .await;
    admin(server, format!("CREATE DATABASE {name} TEMPLATE template0")).await;
    let db = Db::open(&settings(server.url(&name)), migrator)
        .await
        .unwrap();
    db.close().await;
    templates.insert(key, name.clone());
    name
}

async fn admin(server: &Server, statement: String) {
    let mut conn = PgConnection::connect(&server.url("postgres"))
        .await
        .unwrap();
    conn.execute(AssertSqlSafe(statement)).await.unwrap();
    conn.close().await.unwrap();
}
