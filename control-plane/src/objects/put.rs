//! Storing an object, and saying whose it is.

use blob::BlobContext;
use domain::ids::BlobId;
use tokio::io::AsyncRead;

use super::error::ObjectError;
use super::kind::blob_kind;
use super::limited::{Limited, OverLimit};
use super::store;
use crate::app::App;
use crate::context::Tenant;

/// An object that is whole and durable. It is an orphan until somebody [`own`]s it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub id: BlobId,
    /// Bytes of plaintext.
    pub size: u64,
    /// Hexadecimal, of the plaintext.
    pub sha256: String,
    /// Hexadecimal, of the plaintext.
    pub md5: String,
}

/// Stores all that `reader` gives, in a few MiB of memory. `kind` is one of the words of `kind.rs`.
///
/// # Errors
/// [`ObjectError::TooLarge`] beyond `limit` bytes, [`ObjectError::BrokenOff`] when the reader fails;
/// nothing is kept then.
pub async fn put(
    app: &App,
    tenant: &Tenant,
    kind: &'static str,
    reader: impl AsyncRead + Send + Unpin,
    limit: u64,
) -> Result<Stored, ObjectError> {
    let id = BlobId::random();
    let blob = BlobContext {
        account: tenant.account().clone(),
        kind: blob_kind(kind)?,
        id: id.clone(),
    };
    let mut tx = app.db.begin().await?;
    let key = app.keys.sealing_key(&mut tx, tenant).await?;
    store::insert(
        &mut tx,
        tenant,
        &id,
        kind,
        &key.id().to_string(),
        app.clock.now(),
    )
    .await?;
    tx.commit().await?;
    let written = Box::pin(app.blobs.put(&key, &blob, Limited::new(reader, limit))).await;
    let meta = written.map_err(|error| {
        let blob::Error::Input { source, .. } = error else {
            return error.into();
        };
        if OverLimit::caused(&source) {
            return ObjectError::TooLarge { limit };
        }
        // The reader may itself read from the store, when one object is made from another.
        ObjectError::of_reading(source)
    })?;
    let mut tx = app.db.begin().await?;
    if !store::complete(&mut tx, tenant, &id, &meta).await? {
        app.blobs.delete(&blob).await?;
        return Err(ObjectError::Swept);
    }
    tx.commit().await?;
    let (sha256, md5) = (meta.sha256_hex(), meta.md5_hex());
    Ok(Stored {
        id,
        size: meta.size,
        sha256,
        md5,
    })
}

/// Keeps an object, inside the transaction of the row that refers to it.
///
/// # Errors
/// [`ObjectError::Swept`] when the sweep was quicker.
pub async fn own(conn: &mut db::Conn, tenant: &Tenant, id: &BlobId) -> Result<(), ObjectError> {
    if store::own(conn, tenant, id).await? {
        Ok(())
    } else {
        Err(ObjectError::Swept)
    }
}

/// Gives an object up, inside the transaction that ends the last reference to it. It stays readable
/// for a while, for those who are reading.
///
/// # Errors
/// The database's own.
pub async fn release(conn: &mut db::Conn, tenant: &Tenant, id: &BlobId) -> Result<(), ObjectError> {
    let now = conn.database_now().await?;
    Ok(store::release(conn, tenant, id, now).await?)
}

/// The facts of an object that is whole.
///
/// # Errors
/// [`ObjectError::NotFound`] when the tenant has no such object.
pub async fn describe(
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &BlobId,
) -> Result<Stored, ObjectError> {
    let row = store::find(conn, tenant, id)
        .await?
        .ok_or(ObjectError::NotFound)?;
    Ok(Stored {
        id: id.clone(),
        size: row.size.unsigned_abs(),
        sha256: row.sha256,
        md5: row.md5,
    })
}
