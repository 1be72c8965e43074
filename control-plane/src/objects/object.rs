//! Reading an object, or any part of it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use blob::{BlobContext, BlobReader};
use bytes::Bytes;
use domain::Secret;
use domain::ids::BlobId;
use futures::{Stream, TryStreamExt};
use vault::DataKey;

use super::error::ObjectError;
use super::kind::blob_kind;
use super::store;
use crate::app::App;
use crate::context::Tenant;
use crate::problem::Fault;

/// An open object. Clones share what was fetched so far.
#[derive(Debug, Clone)]
pub struct Object {
    reader: BlobReader,
    sha256: String,
    md5: String,
}

/// Opens an object that is whole, owned or not.
///
/// # Errors
/// [`ObjectError::NotFound`] when the tenant has no such object, a fault when its row is there and
/// its bytes are not.
pub async fn open(app: &App, tenant: &Tenant, id: &BlobId) -> Result<Object, ObjectError> {
    let mut conn = app.db.acquire().await?;
    let row = store::find(&mut conn, tenant, id)
        .await?
        .ok_or(ObjectError::NotFound)?;
    let key = key_of(app, &mut conn, tenant, &row).await?;
    drop(conn);
    open_row(app, tenant, id, row, &key).await
}

/// Opens those of these objects that can be opened; why another can't, [`open`] tells.
///
/// # Errors
/// The database's own, or a key that is unknown.
pub async fn open_all(
    app: &App,
    tenant: &Tenant,
    ids: &[&BlobId],
) -> Result<HashMap<BlobId, Object>, ObjectError> {
    let mut conn = app.db.acquire().await?;
    let mut found = Vec::with_capacity(ids.len());
    for (id, row) in store::find_all(&mut conn, tenant, ids).await? {
        let key = key_of(app, &mut conn, tenant, &row).await?;
        found.push((id, row, key));
    }
    drop(conn);
    let mut opened = HashMap::with_capacity(found.len());
    for (id, row, key) in found {
        if let Ok(object) = open_row(app, tenant, &id, row, &key).await {
            opened.insert(id, object);
        }
    }
    Ok(opened)
}

async fn key_of(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    row: &store::Row,
) -> Result<Arc<DataKey>, ObjectError> {
    let key = row
        .key_id
        .parse()
        .map_err(|_| Fault::Unreadable { what: "a key's id" })?;
    Ok(app.keys.opening_key(conn, tenant, key).await?)
}

async fn open_row(
    app: &App,
    tenant: &Tenant,
    id: &BlobId,
    row: store::Row,
    key: &DataKey,
) -> Result<Object, ObjectError> {
    let blob = BlobContext {
        account: tenant.account().clone(),
        kind: blob_kind(&row.kind)?,
        id: id.clone(),
    };
    let reader = app.blobs.open(key, &blob).await?;
    Ok(Object {
        reader,
        sha256: row.sha256,
        md5: row.md5,
    })
}

impl Object {
    /// Bytes of plaintext.
    pub fn size(&self) -> u64 {
        self.reader.size()
    }

    /// Hexadecimal, of the plaintext.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Hexadecimal, of the plaintext.
    pub fn md5(&self) -> &str {
        &self.md5
    }

    /// The plaintext from `offset` to the end, in small pieces. An error ends the stream; without
    /// one its end is the object's end.
    pub fn stream_from(
        &self,
        offset: u64,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + use<> {
        Box::pin(self.reader.stream_from(offset).map_err(io::Error::other))
    }

    /// `len` bytes from `offset` on, fewer at the end. They are held in memory.
    ///
    /// # Errors
    /// The store's own.
    pub async fn read_range(&self, offset: u64, len: u64) -> Result<Bytes, ObjectError> {
        Ok(self.reader.read_range(offset, len).await?)
    }

    /// All of it, held in memory.
    ///
    /// # Errors
    /// [`ObjectError::TooLarge`] beyond `limit` bytes.
    pub async fn read_all(&self, limit: u64) -> Result<Secret<Vec<u8>>, ObjectError> {
        if self.size() > limit {
            return Err(ObjectError::TooLarge { limit });
        }
        Ok(self.reader.read_all(limit).await?)
    }
}
