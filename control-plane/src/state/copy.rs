//! A stored state under another serial, made as a stream from one object to the next.

use std::io;

use domain::ids::BlobId;

use super::error::StateError;
use super::model::StateVersion;
use super::prepare::{Prepared, prepare};
use crate::app::App;
use crate::context::Tenant;
use crate::objects::{self, Stored, pipe};

/// The kind of the object that a state's bytes are.
pub(super) const STATE: &str = "state";

/// Stores the state in `blob` once more, with `serial`. It must have been read as a state before.
pub(super) async fn renumbered(
    app: &App,
    tenant: &Tenant,
    blob: &BlobId,
    serial: i64,
) -> Result<Stored, StateError> {
    let object = objects::open(app, tenant, blob).await?;
    let serial = u64::try_from(serial).unwrap_or_default();
    let copy = pipe::through(object.stream_from(0), move |state, out| {
        terraform::state::renumber(state, serial, out).map_err(io::Error::other)
    });
    Ok(objects::put(app, tenant, STATE, copy.into_reader(), u64::MAX).await?)
}

/// The content of `version` made ready to follow `current`: as it is when its serial is higher, else
/// renumbered.
///
/// # Errors
/// [`StateError::EncryptedByClient`] when it would have to be renumbered and can't,
/// [`StateError::Unreadable`] when it is no state.
pub(super) async fn ready_to_follow(
    app: &App,
    tenant: &Tenant,
    version: &StateVersion,
    current: Option<&StateVersion>,
) -> Result<Prepared, StateError> {
    let blob = version.blob_id.as_ref().ok_or(StateError::NotFound)?;
    let next = current.map_or(0, |current| current.serial.saturating_add(1));
    let stored = if version.serial >= next {
        Stored {
            id: blob.clone(),
            size: version
                .size
                .and_then(|size| size.try_into().ok())
                .unwrap_or_default(),
            sha256: version.sha256.clone().unwrap_or_default(),
            md5: version.md5.clone(),
        }
    } else if version.is_opaque() {
        return Err(StateError::EncryptedByClient);
    } else {
        // A state that isn't one fails here with its reason, not in the middle of the copy.
        renumbered_checked(app, tenant, version, blob, next).await?
    };
    prepare(app, tenant, stored, None).await
}

async fn renumbered_checked(
    app: &App,
    tenant: &Tenant,
    version: &StateVersion,
    blob: &BlobId,
    serial: i64,
) -> Result<Stored, StateError> {
    if version.summary.is_none() {
        let reason = "it was kept as it came, and is no whole state".to_owned();
        return Err(StateError::Unreadable { reason });
    }
    renumbered(app, tenant, blob, serial).await
}
