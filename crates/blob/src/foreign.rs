//! A bucket that is not ours: something is put there as it is, for others to read.

use object_store::ObjectStoreExt;
use object_store::aws::AmazonS3;
use object_store::path::Path;

use crate::error::{Error, Result};
use crate::s3::S3Settings;

/// A bucket that is written through a client of the caller's, who decides where that may go.
#[derive(Debug)]
pub struct ForeignBucket(AmazonS3);

impl ForeignBucket {
    /// Nothing is asked of it yet. It must have keys: the machine's own are not for others' buckets.
    ///
    /// # Errors
    /// [`Error::Settings`].
    pub fn connect(settings: &S3Settings, client: reqwest::Client) -> Result<Self> {
        if settings.access_key_id.is_none() || settings.secret_access_key.is_none() {
            let reason = "a bucket of somebody else needs keys".to_owned();
            return Err(Error::Settings { reason });
        }
        settings.connect_through(client).map(Self)
    }

    /// Writes an object, or writes over it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn put(&self, name: &str, content: Vec<u8>) -> Result<()> {
        let written = self.0.put(&Path::from(name), content.into()).await;
        written.map(drop).map_err(Error::of_store("writing"))
    }
}
