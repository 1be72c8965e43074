//! Making a backup.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use blob::{BlobContext, BlobStore};
use db::{Db, Table};
use domain::ids::{AccountId, BlobId};

use super::error::BackupError;
use super::files::SmallFiles;
use super::manifest::{
    FORMAT, Lines, Listed, Manifest, ObjectLine, objects_directory, objects_file, table_file,
};
use crate::clock::Timestamp;
use crate::objects;

/// Writes a backup into `directory`, which must not exist yet, or be empty.
///
/// # Errors
/// Whatever fails; a directory without a manifest is left then, which no restore takes.
pub async fn save(
    db: &Db,
    blobs: &BlobStore,
    ring: &vault::Keyring,
    files: Option<SmallFiles<'_>>,
    directory: &Path,
    now: Timestamp,
) -> Result<Manifest, BackupError> {
    prepare(directory)?;
    // Before the rows, which know then what is in the files; what comes later is made anew.
    let files = files.map(|it| it.save(ring, directory)).transpose()?;
    let mut snapshot = db.snapshot().await?;
    let schema = snapshot.schema_version().await?.unwrap_or_default();
    let mut tables = Vec::new();
    for table in snapshot.tables().await? {
        tables.push(save_table(&mut snapshot, &table, directory).await?);
    }
    let owned = objects::all_owned(&mut snapshot).await?;
    snapshot.rollback().await?;
    let manifest = Manifest {
        format: FORMAT,
        software: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        schema,
        installation_key: ring.current().to_string(),
        tables,
        objects: save_objects(blobs, owned, directory).await?,
        files,
    };
    manifest.write(directory)?;
    Ok(manifest)
}

fn prepare(directory: &Path) -> Result<(), BackupError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(directory)
        .map_err(BackupError::at(directory))?;
    let mut entries = std::fs::read_dir(directory).map_err(BackupError::at(directory))?;
    if entries.next().is_some() {
        return Err(BackupError::NotEmpty {
            path: directory.to_owned(),
        });
    }
    let tables = directory.join("tables");
    builder.create(&tables).map_err(BackupError::at(tables))
}

async fn save_table(
    conn: &mut db::Conn,
    table: &Table,
    directory: &Path,
) -> Result<Listed, BackupError> {
    let mut lines = Lines::create(table_file(directory, &table.name))?;
    // The columns come first, so that a reader needs nothing but the file.
    let columns: Vec<_> = table.columns.iter().map(|it| it.name.as_str()).collect();
    let head = serde_json::to_string(&columns).map_err(|source| BackupError::Row {
        table: table.name.clone(),
        source,
    })?;
    lines.push(&head)?;
    conn.each_row(table, |row| lines.push(row)).await?;
    lines.finish(&table.name)
}

async fn save_objects(
    blobs: &BlobStore,
    owned: Vec<objects::Owned>,
    directory: &Path,
) -> Result<Listed, BackupError> {
    let copies = BlobStore::local(&objects_directory(directory))?;
    let mut lines = Lines::create(objects_file(directory))?;
    for object in owned {
        let blob = context(&object.account_id, &object.kind, &object.id)?;
        let form = blobs.copy_to(&copies, &blob).await?;
        let line = ObjectLine {
            account: object.account_id,
            kind: object.kind,
            id: object.id,
            stored_size: form.size,
            stored_sha256: hex::encode(form.sha256),
        };
        lines.push(
            &serde_json::to_string(&line).map_err(|source| BackupError::Row {
                table: "objects".to_owned(),
                source,
            })?,
        )?;
    }
    lines.finish("objects")
}

/// How the object stores know an object. `kind` is the word in its row.
pub(super) fn context(
    account: &AccountId,
    kind: &str,
    id: &BlobId,
) -> Result<BlobContext, BackupError> {
    let kind = objects::blob_kind(kind).map_err(|_| BackupError::UnknownKind {
        id: id.clone(),
        kind: kind.to_owned(),
    })?;
    Ok(BlobContext {
        account: account.clone(),
        kind,
        id: id.clone(),
    })
}
