//! Packs a directory so that the same tree always gives the same bytes.
//!
//! Names are sorted, owners dropped, times fixed: an upload that is resumed after a restart is
//! packed again and must come out the same.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, Metadata, PermissionsExt};

/// 2000-01-01: a zip archive made from the tree can't hold times before 1980.
const MODIFIED: u64 = 946_684_800;

/// Why a tree could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("{path} could not be read for packing")]
    Read { path: PathBuf, source: io::Error },
    #[error("the archive could not be written")]
    Write(#[source] io::Error),
}

/// Writes the tree below `root` as an uncompressed tar to `out`, without the entries that
/// `skip` names (paths relative to `root`), links that lead outside, and special files.
///
/// # Errors
/// When something could not be read or written; `out` then holds no archive.
pub fn pack<W: Write>(root: &Dir, out: W, skip: &dyn Fn(&Path) -> bool) -> Result<W, PackError> {
    let mut builder = tar::Builder::new(out);
    builder.mode(tar::HeaderMode::Deterministic);
    directory(root, root, Path::new(""), &mut builder, skip)?;
    builder.into_inner().map_err(PackError::Write)
}

fn directory<W: Write>(
    root: &Dir,
    here: &Dir,
    path: &Path,
    builder: &mut tar::Builder<W>,
    skip: &dyn Fn(&Path) -> bool,
) -> Result<(), PackError> {
    let read = |source| PackError::Read {
        path: path.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in here.entries().map_err(read)? {
        names.push(entry.map_err(read)?.file_name());
    }
    names.sort();
    for name in names {
        let child = path.join(&name);
        if skip(&child) {
            continue;
        }
        let read = |source| PackError::Read {
            path: child.clone(),
            source,
        };
        let metadata = here.symlink_metadata(&name).map_err(read)?;
        if metadata.is_dir() {
            header(
                builder,
                &child,
                tar::EntryType::Directory,
                0o755,
                0,
                io::empty(),
            )?;
            let below = here.open_dir(&name).map_err(read)?;
            directory(root, &below, &child, builder, skip)?;
        } else if metadata.is_symlink() {
            symlink(root, here, Path::new(&name), &child, builder)?;
        } else if metadata.is_file() {
            let file = here.open(&name).map_err(read)?;
            let mode = mode(&metadata);
            // What grows meanwhile is cut, what shrinks is an error: the header has the size.
            let content = file.take(metadata.len());
            header(
                builder,
                &child,
                tar::EntryType::Regular,
                mode,
                metadata.len(),
                content,
            )?;
        }
    }
    Ok(())
}

fn symlink<W: Write>(
    root: &Dir,
    here: &Dir,
    name: &Path,
    path: &Path,
    builder: &mut tar::Builder<W>,
) -> Result<(), PackError> {
    let outside = root
        .canonicalize(path)
        .is_err_and(|e| e.kind() != io::ErrorKind::NotFound);
    let target = here
        .read_link_contents(name)
        .map_err(|source| PackError::Read {
            path: path.to_owned(),
            source,
        })?;
    if outside || !super::entry::stays_inside(path, &target) {
        tracing::warn!(path = %path.display(), "left out of the archive: the link leads outside");
        return Ok(());
    }
    let mut header = base_header(tar::EntryType::Symlink, 0o777, 0);
    builder
        .append_link(&mut header, path, target)
        .map_err(PackError::Write)
}

fn header<W: Write>(
    builder: &mut tar::Builder<W>,
    path: &Path,
    kind: tar::EntryType,
    mode: u32,
    size: u64,
    content: impl Read,
) -> Result<(), PackError> {
    let mut header = base_header(kind, mode, size);
    builder
        .append_data(&mut header, path, content)
        .map_err(PackError::Write)
}

fn base_header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MODIFIED);
    header
}

fn mode(metadata: &Metadata) -> u32 {
    if metadata.permissions().mode() & 0o111 == 0 {
        0o644
    } else {
        0o755
    }
}
