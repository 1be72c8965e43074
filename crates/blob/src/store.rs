//! The store of all objects.

use std::io;
use std::path::{Path as Directory, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use domain::ids::AccountId;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncRead;
use vault::DataKey;

use crate::copy::{self, StoredForm};
use crate::entry::{BlobEntry, path_of};
use crate::error::{Error, Result};
use crate::leftovers;
use crate::meta::{BlobContext, BlobMeta};
use crate::put;
use crate::reader::BlobReader;
use crate::s3::S3Settings;

/// A directory or bucket of objects. Clones share it.
#[derive(Debug, Clone)]
pub struct BlobStore {
    objects: Arc<dyn ObjectStore>,
    /// Of a local store.
    directory: Option<PathBuf>,
}

impl BlobStore {
    /// A directory, made if missing, readable by its owner only. Objects are on disk before a put
    /// returns, their directory entries too.
    pub fn local(directory: &Directory) -> Result<Self> {
        let unusable = |error: &dyn std::fmt::Display| Error::Settings {
            reason: format!("{}: {error}", directory.display()),
        };
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .recursive(true)
            .create(directory)
            .map_err(|error| unusable(&error))?;
        let store =
            LocalFileSystem::new_with_prefix(directory).map_err(|error| unusable(&error))?;
        let objects = Arc::new(store.with_fsync(true));
        Ok(Self {
            objects,
            directory: Some(directory.to_owned()),
        })
    }

    /// A bucket. Nothing is asked of it yet; see [`BlobStore::check`].
    pub fn s3(settings: &S3Settings) -> Result<Self> {
        let bucket = settings.connect()?;
        Ok(match settings.prefix.trim_matches('/') {
            "" => Self::over(Arc::new(bucket)),
            prefix => Self::over(Arc::new(PrefixStore::new(bucket, prefix))),
        })
    }

    /// Any store that `object_store` knows.
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            objects: store,
            directory: None,
        }
    }

    /// Writes an object from all of `content`. When this returns, the object is durable and can be
    /// read; when it fails, there is none.
    ///
    /// # Errors
    /// [`Error::Input`] if `content` fails, [`Error::Store`] if the store does.
    pub async fn put(
        &self,
        key: &DataKey,
        blob: &BlobContext,
        content: impl AsyncRead,
    ) -> Result<BlobMeta> {
        put::put(&self.objects, &path_of(blob), key, blob, content).await
    }

    /// Opens an object with the key that [`BlobMeta::key`] names.
    pub async fn open(&self, key: &DataKey, blob: &BlobContext) -> Result<BlobReader> {
        BlobReader::open(self.objects.clone(), path_of(blob), key, blob.clone()).await
    }

    /// Deletes an object; that it is gone already is no error.
    pub async fn delete(&self, blob: &BlobContext) -> Result<()> {
        match self.objects.delete(&path_of(blob)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(Error::Store {
                action: "deleting",
                source,
            }),
        }
    }

    /// Copies an object into another store as it is stored, sealed; tells what was copied.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none; otherwise the stores' own, and then there is no copy.
    pub async fn copy_to(&self, other: &Self, blob: &BlobContext) -> Result<StoredForm> {
        copy::copy(&self.objects, &other.objects, &path_of(blob), blob).await
    }

    /// Size and hash of an object as it is stored, sealed.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none.
    pub async fn stored_form(&self, blob: &BlobContext) -> Result<StoredForm> {
        copy::stored_form(&self.objects, &path_of(blob), blob).await
    }

    /// All objects of an account, in no order. What lies there and isn't ours is left out.
    pub fn list(
        &self,
        account: &AccountId,
    ) -> impl Stream<Item = Result<BlobEntry>> + Send + use<> {
        let account = account.clone();
        self.objects
            .list(Some(&Path::from(account.as_str())))
            .map_err(Error::of_store("listing"))
            .try_filter_map(move |found| {
                let entry = BlobEntry::read(&account, &found);
                if entry.is_none() {
                    tracing::warn!(path = %found.location, "not an object of ours");
                }
                std::future::ready(Ok(entry))
            })
            .boxed()
    }

    /// Deletes what killed processes left of unfinished puts, if nothing was written to it since
    /// `before`, and tells how many there were. A bucket has a lifecycle rule for that instead.
    pub async fn remove_unfinished(&self, before: SystemTime) -> Result<u64> {
        let Some(directory) = self.directory.clone() else {
            return Ok(0);
        };
        let work = tokio::task::spawn_blocking(move || leftovers::remove(&directory, before));
        let removed = work
            .await
            .unwrap_or_else(|failed| Err(io::Error::other(failed)));
        removed.map_err(|source| Error::Leftovers { source })
    }

    /// Whether the store works: writes, reads and deletes a few bytes.
    pub async fn check(&self) -> Result<()> {
        let content: [u8; 32] = rand::random();
        let path = Path::from(format!("probe/{}", hex::encode(&content[..8])));
        let written = content.to_vec().into();
        self.objects
            .put(&path, written)
            .await
            .map_err(Error::of_store("writing a probe"))?;
        let read = async { self.objects.get(&path).await?.bytes().await };
        let read = read.await.map_err(Error::of_store("reading a probe"));
        self.objects
            .delete(&path)
            .await
            .map_err(Error::of_store("deleting a probe"))?;
        if read? == content.as_slice() {
            Ok(())
        } else {
            Err(Error::Unfaithful)
        }
    }
}
