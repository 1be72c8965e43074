//! Reads every object of an installation, as its readers would.

use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use super::error::BackupError;
use crate::app::App;
use crate::context::Tenant;
use crate::http::error::chain;
use crate::objects;

/// What was read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub objects: u64,
    /// Of plaintext.
    pub bytes: u64,
}

/// Opens every object that a row refers to, with the keys of its account, and compares all of its
/// plaintext with the hash in the row.
///
/// # Errors
/// [`BackupError::Damaged`] when any can't be read, after all were tried.
pub async fn verify(app: &App) -> Result<Verified, BackupError> {
    let mut conn = app.db.acquire().await?;
    let owned = objects::all_owned(&mut conn).await?;
    drop(conn);
    let mut verified = Verified::default();
    let mut damaged: Vec<String> = Vec::new();
    for object in owned {
        match read_through(app, &object).await {
            Ok(bytes) => {
                verified.objects += 1;
                verified.bytes += bytes;
            }
            Err(reason) => damaged.push(format!("{} ({}): {reason}", object.id, object.kind)),
        }
    }
    match damaged.first() {
        None => Ok(verified),
        Some(first) => Err(BackupError::Damaged {
            count: damaged.len() as u64,
            first: first.clone(),
        }),
    }
}

async fn read_through(app: &App, owned: &objects::Owned) -> Result<u64, String> {
    let tenant = Tenant::of_row(&owned.account_id);
    let object = objects::open(app, &tenant, &owned.id)
        .await
        .map_err(|error| chain(&error))?;
    let mut hasher = Sha256::new();
    let mut stream = object.stream_from(0);
    while let Some(piece) = stream.try_next().await.map_err(|error| chain(&error))? {
        hasher.update(&piece);
    }
    if hex::encode(hasher.finalize()) == object.sha256() {
        Ok(object.size())
    } else {
        Err("its content is not what was stored".to_owned())
    }
}
