//! The control plane of one test.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use blob::BlobStore;
use chrono::TimeDelta;
use db::Db;
use http::Method;
use parking_lot::Mutex;
use tempfile::TempDir;
use vault::InstallationKey;

use super::call::Call;
use crate::app::{App, Installation, Limits, Signals, Timing};
use crate::clock::{Clock, Timestamp};
use crate::costs::PriceBook;
use crate::iam::SignInCache;
use crate::outbound::{Guard, Outbound};
use crate::policies::Checkups;
use crate::tenancy::Keyring;

/// An [`App`] with its router, blobs in a temporary directory, and keys of its own.
pub(crate) struct TestApp {
    app: Arc<App>,
    pub(super) router: Router,
    _blobs: Option<TempDir>,
}

impl Deref for TestApp {
    type Target = App;
    fn deref(&self) -> &App {
        &self.app
    }
}

impl TestApp {
    /// With the machine's clock.
    pub(crate) fn new(db: Db) -> Self {
        Self::with_clock(db, Clock::System)
    }

    /// With a clock that stands at `time` (RFC 3339) until [`TestApp::advance`].
    pub(crate) fn at(db: Db, time: &str) -> Self {
        let time: Timestamp = time.parse().unwrap();
        Self::with_clock(db, Clock::Fixed(Arc::new(Mutex::new(time))))
    }

    /// With other limits than the default ones.
    pub(crate) fn with_limits(db: Db, change: impl FnOnce(&mut Limits)) -> Self {
        let directory = TempDir::new().unwrap();
        let blobs = BlobStore::local(directory.path()).unwrap();
        let mut app = assemble(db, Clock::System, blobs);
        change(&mut app.installation.limits);
        Self::start(app, Some(directory))
    }

    /// With a clock that stands and other limits.
    pub(crate) fn at_with_limits(db: Db, time: &str, change: impl FnOnce(&mut Limits)) -> Self {
        let directory = TempDir::new().unwrap();
        let blobs = BlobStore::local(directory.path()).unwrap();
        let time: Timestamp = time.parse().unwrap();
        let mut app = assemble(db, Clock::Fixed(Arc::new(Mutex::new(time))), blobs);
        change(&mut app.installation.limits);
        Self::start(app, Some(directory))
    }

    /// With a client that may call what the test names.
    pub(crate) fn with_outbound(db: Db, outbound: Outbound) -> Self {
        let directory = TempDir::new().unwrap();
        let blobs = BlobStore::local(directory.path()).unwrap();
        let mut app = assemble(db, Clock::System, blobs);
        app.outbound = outbound;
        Self::start(app, Some(directory))
    }

    /// One of several replicas: the blobs are shared, the installation keys are its own.
    pub(crate) fn with_keys(db: Db, blobs: BlobStore, installation: vault::Keyring) -> Self {
        let mut app = assemble(db, Clock::System, blobs);
        app.signer = installation.signer("url");
        app.keys = Keyring::new(installation);
        Self::start(app, None)
    }

    /// With blobs in a store of the test's own.
    pub(crate) fn with_blobs(db: Db, blobs: BlobStore) -> Self {
        Self::start(assemble(db, Clock::System, blobs), None)
    }

    fn with_clock(db: Db, clock: Clock) -> Self {
        let directory = TempDir::new().unwrap();
        let blobs = BlobStore::local(directory.path()).unwrap();
        Self::start(assemble(db, clock, blobs), Some(directory))
    }

    fn start(app: App, directory: Option<TempDir>) -> Self {
        let app = Arc::new(app);
        Self {
            router: crate::http::router(Arc::clone(&app)),
            app,
            _blobs: directory,
        }
    }

    /// For what outlives a call.
    pub(crate) fn shared(&self) -> Arc<App> {
        Arc::clone(&self.app)
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Moves a fixed clock.
    pub(crate) fn advance(&self, by: TimeDelta) {
        match &self.app.clock {
            Clock::Fixed(time) => *time.lock() += by,
            Clock::System => panic!("only a fixed clock can be moved: use `TestApp::at`"),
        }
    }

    pub(crate) fn call(&self, method: Method, path: impl Into<String>) -> Call<'_> {
        Call::new(self, method, path.into())
    }

    pub(crate) fn get(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::POST, path)
    }

    pub(crate) fn put(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::PUT, path)
    }

    pub(crate) fn patch(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::PATCH, path)
    }

    pub(crate) fn delete(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::DELETE, path)
    }
}

fn assemble(db: Db, clock: Clock, blobs: BlobStore) -> App {
    let installation = vault::Keyring::new(InstallationKey::generate(), Vec::new());
    App {
        db,
        blobs,
        signer: installation.signer("url"),
        keys: Keyring::new(installation),
        clock,
        prices: PriceBook::default(),
        installation: Installation {
            public_url: "https://terrane.test".parse().unwrap(),
            limits: Limits::default(),
            timing: Timing::default(),
            audit_days: 0,
            least_audit_days: 90,
        },
        policy_worker: policy::worker::Worker::new(server_program()),
        checkups: Checkups::default(),
        outbound: Outbound::new(Guard::default(), None).unwrap(),
        sign_in: SignInCache::default(),
        signals: Signals::default(),
    }
}

/// The server's binary, which `cargo xtask test` builds before any test: it is its own policy
/// worker, and a test's program can't be one.
fn server_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("terrane")
}
