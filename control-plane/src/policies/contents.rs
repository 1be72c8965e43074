//! From a revision's archive to the files that policies are made of. The archive is somebody's upload:
//! everything about it is bounded, and only texts that mean something here are taken.

use domain::ids::BlobId;
use policy::{SourceFile, tree};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::error::PolicyError;
use super::model::Layout;
use crate::app::App;
use crate::archive::{self, Bounds};
use crate::context::Tenant;
use crate::objects;

/// What a group may be made of: mocks in tests are whole plans, policies are small.
const BOUNDS: Bounds = Bounds {
    files: 5_000,
    file: 16 << 20,
    total: 64 << 20,
};

/// The files of a stored archive that policies can be made of, with paths from its root.
///
/// # Errors
/// [`PolicyError::BadArchive`] with the reason, or a fault.
pub(super) async fn read(
    app: &App,
    tenant: &Tenant,
    blob: &BlobId,
) -> Result<Vec<SourceFile>, PolicyError> {
    let object = objects::open(app, tenant, blob).await?;
    let mut reader = SyncIoBridge::new(Box::pin(StreamReader::new(object.stream_from(0))));
    let found =
        tokio::task::spawn_blocking(move || archive::texts(&mut reader, BOUNDS, tree::is_wanted))
            .await
            .map_err(|error| PolicyError::bad_archive(error.to_string()))?
            .map_err(PolicyError::bad_archive)?;
    Ok(found
        .into_iter()
        .map(|(path, text)| SourceFile::new(path, text))
        .collect())
}

/// The group's own files and the common ones.
pub(super) fn arrange(files: &[SourceFile], layout: &Layout) -> (Vec<SourceFile>, Vec<SourceFile>) {
    tree::group(files, &layout.path, layout.common.as_deref())
}
