//! The way back: into an empty database, and only after everything was found whole.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use blob::BlobStore;
use db::{Db, Row, Table};

use super::error::BackupError;
use super::files::SmallFiles;
use super::manifest::{
    Listed, Manifest, ObjectLine, check_file, objects_directory, objects_file, table_file,
};
use super::save::context;

/// Restores `directory` into an empty database, whose schema was brought up to date before, and
/// an object store. Objects come first and rows in one transaction, so that a restore which dies
/// can simply be repeated.
///
/// # Errors
/// Before anything is written: a backup that is not whole, of another schema, or under a key that
/// is not in `ring`; a database with rows; other files in the place of `files`.
pub async fn restore(
    directory: &Path,
    db: &Db,
    blobs: &BlobStore,
    ring: &vault::Keyring,
    files: Option<SmallFiles<'_>>,
) -> Result<Manifest, BackupError> {
    let manifest = Manifest::read(directory)?;
    check_key(&manifest, ring)?;
    let tables = empty_tables(db, &manifest).await?;
    for listed in &manifest.tables {
        check_file(&table_file(directory, &listed.name), listed)?;
    }
    check_file(&objects_file(directory), &manifest.objects)?;
    let copies = BlobStore::local(&objects_directory(directory))?;
    check_objects(directory, &copies).await?;
    let files = match (files, &manifest.files) {
        (Some(files), Some(listed)) => Some((files, files.open(ring, listed, directory)?)),
        (Some(_), None) | (None, _) => None,
    };

    for line in object_lines(directory)? {
        let line = line?;
        let blob = context(&line.account, &line.kind, &line.id)?;
        copies.copy_to(blobs, &blob).await?;
    }
    // Before the rows: with them the restore is done.
    if let Some((files, contents)) = files {
        files.restore(&contents)?;
    }
    let mut tx = db.begin().await?;
    for table in &tables {
        if let Some(listed) = manifest.tables.iter().find(|it| it.name == table.name) {
            restore_table(&mut tx, table, listed, directory).await?;
        }
    }
    tx.commit().await?;
    Ok(manifest)
}

fn check_key(manifest: &Manifest, ring: &vault::Keyring) -> Result<(), BackupError> {
    let installation_keys: Vec<_> = ring.ids().iter().map(ToString::to_string).collect();
    if installation_keys.contains(&manifest.installation_key) {
        return Ok(());
    }
    Err(BackupError::OtherKey {
        backup: manifest.installation_key.clone(),
        configured: installation_keys.join(", "),
    })
}

/// The tables in the order in which they can be filled; none has a row.
async fn empty_tables(db: &Db, manifest: &Manifest) -> Result<Vec<Table>, BackupError> {
    let mut conn = db.acquire().await?;
    let program = conn.schema_version().await?.unwrap_or_default();
    if program != manifest.schema {
        return Err(BackupError::OtherSchema {
            backup: manifest.schema,
            program,
            software: manifest.software.clone(),
        });
    }
    let tables = conn.tables().await?;
    for table in &tables {
        if conn.count_rows(table).await? > 0 {
            return Err(BackupError::DatabaseInUse {
                table: table.name.clone(),
            });
        }
    }
    Ok(tables)
}

/// Every object of the list is there as it was copied.
async fn check_objects(directory: &Path, copies: &BlobStore) -> Result<(), BackupError> {
    for line in object_lines(directory)? {
        let line = line?;
        let blob = context(&line.account, &line.kind, &line.id)?;
        let whole = match copies.stored_form(&blob).await {
            Ok(form) => hex::encode(form.sha256) == line.stored_sha256,
            Err(blob::Error::Missing { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if !whole {
            let reason = format!("the object {} is missing, changed or cut short", line.id);
            return Err(BackupError::broken(directory, reason));
        }
    }
    Ok(())
}

fn object_lines(
    directory: &Path,
) -> Result<impl Iterator<Item = Result<ObjectLine, BackupError>>, BackupError> {
    let path = objects_file(directory);
    let file = File::open(&path).map_err(BackupError::at(&path))?;
    Ok(BufReader::new(file).lines().map(move |line| {
        let line = line.map_err(BackupError::at(&path))?;
        serde_json::from_str(&line).map_err(|source| BackupError::Row {
            table: "objects".to_owned(),
            source,
        })
    }))
}

async fn restore_table(
    tx: &mut db::Tx,
    table: &Table,
    listed: &Listed,
    directory: &Path,
) -> Result<(), BackupError> {
    let path = table_file(directory, &listed.name);
    let unreadable = |source| BackupError::Row {
        table: table.name.clone(),
        source,
    };
    let mut lines = BufReader::new(File::open(&path).map_err(BackupError::at(&path))?).lines();
    let head = lines.next().transpose().map_err(BackupError::at(&path))?;
    let names: Vec<String> = serde_json::from_str(&head.unwrap_or_default()).map_err(unreadable)?;
    let table = with_columns(table, &names)
        .ok_or_else(|| BackupError::broken(&path, "its columns are not those of the table"))?;
    for line in lines {
        let line = line.map_err(BackupError::at(&path))?;
        let row: Row = serde_json::from_str(&line).map_err(unreadable)?;
        tx.insert_row(&table, row).await?;
    }
    Ok(())
}

/// The table with its columns in the order of the file: two databases may keep them differently.
fn with_columns(table: &Table, names: &[String]) -> Option<Table> {
    let find = |name: &String| table.columns.iter().find(|it| it.name == *name).cloned();
    let columns: Vec<_> = names.iter().map(find).collect::<Option<_>>()?;
    (columns.len() == table.columns.len()).then(|| Table {
        name: table.name.clone(),
        columns,
    })
}
