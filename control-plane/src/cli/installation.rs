//! Opens what a configuration names, and puts the [`App`] together.

use std::path::PathBuf;
use std::sync::Arc;

use blob::{BlobStore, S3Settings};
use db::Db;
use policy::worker::Worker;
use url::Url;

use super::root_key;
use crate::app::{App, Installation, Limits, Signals, Timing};
use crate::clock::Clock;
use crate::config::{BlobKind, Config};
use crate::costs::{PriceBook, PriceBookError};
use crate::iam::SignInCache;
use crate::outbound::{Guard, Outbound};
use crate::policies::Checkups;
use crate::schema::MIGRATOR;
use crate::tenancy::Keyring;

/// The region that servers other than Amazon's expect when none is named.
const ANY_REGION: &str = "us-east-1";
/// Signed URLs of one installation are good at all of its replicas.
const URL_SIGNER: &str = "signed-urls";

#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("the database can't be opened")]
    Database(#[from] db::Error),
    #[error("the blobs can't be opened")]
    Blobs(#[from] blob::Error),
    #[error(transparent)]
    Key(#[from] vault::RootKeyError),
    #[error("cost.price_book can't be used")]
    PriceBook(#[from] PriceBookError),
    #[error("keys.installation_key is not set")]
    NoKey,
    #[error("outbound.ca_file {} can't be used: {reason}", file.display())]
    Certificates { file: PathBuf, reason: String },
}

/// The database alone, with its schema as it is.
pub(super) async fn connect(config: &Config) -> Result<Db, OpenError> {
    Ok(Db::connect(&database_settings(config)).await?)
}

/// The object store alone; nothing is asked of it yet.
pub(super) fn blobs(config: &Config) -> Result<BlobStore, OpenError> {
    let blobs = &config.blobs;
    Ok(match blobs.kind {
        BlobKind::Directory => BlobStore::local(&config.blob_directory())?,
        BlobKind::S3 => BlobStore::s3(&S3Settings {
            bucket: blobs.bucket.clone().unwrap_or_default(),
            region: blobs
                .region
                .clone()
                .unwrap_or_else(|| ANY_REGION.to_owned()),
            endpoint: blobs.endpoint.as_ref().map(|url| url.as_str().to_owned()),
            access_key_id: blobs.access_key_id.clone(),
            secret_access_key: blobs.secret_access_key.clone(),
            allow_http: blobs.allow_http,
            prefix: blobs.prefix.clone().unwrap_or_default(),
        })?,
    })
}

pub(super) fn keyring(config: &Config) -> Result<vault::Keyring, OpenError> {
    let current = root_key::current(config)?.ok_or(OpenError::NoKey)?;
    let earlier = root_key::earlier(config)?.into_iter().collect();
    Ok(vault::Keyring::new(current, earlier))
}

/// Everything that use cases need. Brings the schema up to date and sees that blobs can be written.
pub(super) async fn open(
    config: &Config,
    public_url: Url,
    clock: Clock,
) -> Result<Arc<App>, OpenError> {
    let keyring = keyring(config)?;
    let prices = match &config.cost.price_book {
        Some(file) => PriceBook::load(file)?,
        None => PriceBook::default(),
    };
    let blobs = blobs(config)?;
    blobs.check().await?;
    let db = Db::open(&database_settings(config), &MIGRATOR).await?;
    Ok(Arc::new(App {
        db,
        blobs,
        signer: keyring.signer(URL_SIGNER),
        keys: Keyring::new(keyring),
        clock,
        prices,
        installation: installation(config, public_url),
        policy_worker: policy_worker(),
        checkups: Checkups::default(),
        outbound: outbound(config)?,
        sign_in: SignInCache::default(),
        signals: Signals::default(),
    }))
}

fn outbound(config: &Config) -> Result<Outbound, OpenError> {
    let settings = &config.outbound;
    let guard = Guard::new(&settings.allowed_networks);
    let file = settings.ca_file.clone().unwrap_or_default();
    let unusable = |reason: String| OpenError::Certificates { file, reason };
    let ca_pem = match settings.ca_file.as_ref().map(std::fs::read).transpose() {
        Ok(ca_pem) => ca_pem,
        Err(error) => return Err(unusable(error.to_string())),
    };
    Outbound::new(guard, ca_pem.as_deref()).map_err(|error| unusable(error.to_string()))
}

/// A worker is this program once more, also when its file has been replaced by a newer one meanwhile.
pub(super) fn policy_worker() -> Worker {
    Worker::new("/proc/self/exe".into())
}

fn database_settings(config: &Config) -> db::Settings {
    let mut settings = db::Settings::new(config.database_url().expose().clone());
    settings.pool_size = config.database.max_connections;
    settings
}

fn installation(config: &Config, public_url: Url) -> Installation {
    let limits = Limits {
        configuration: config.limits.max_configuration_bytes,
        state: config.limits.max_state_bytes,
        log: config.limits.max_log_bytes,
        runs_per_account: config.runs.max_concurrent_per_account,
        ..Limits::default()
    };
    let timing = Timing {
        out_of_contact: config.runs.out_of_contact_minutes.saturating_mul(60),
        run_timeout: config.runs.timeout_minutes.saturating_mul(60),
        ..Timing::default()
    };
    Installation {
        public_url,
        limits,
        timing,
        audit_days: config.audit.retention_days.into(),
        least_audit_days: config.audit.least_retention_days.into(),
    }
}
