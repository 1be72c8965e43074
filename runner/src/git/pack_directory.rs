//! A checked-out tree as a tar archive, without git's own files.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::FetchError;
use super::pack_tree::{LFS, header};

/// The archive, and what is missing from it.
pub(super) struct Packed<W> {
    pub(super) out: W,
    /// Files that Git LFS keeps and that are there as pointers only.
    pub(super) pointers: Vec<String>,
}

/// Writes all files below `root` to `out`.
pub(super) fn pack_directory<W: Write>(root: &Path, out: W) -> Result<Packed<W>, FetchError> {
    let mut builder = tar::Builder::new(out);
    let mut pointers = Vec::new();
    pack(&mut builder, root, Path::new(""), &mut pointers)?;
    Ok(Packed {
        out: builder.into_inner()?,
        pointers,
    })
}

fn pack<W: Write>(
    builder: &mut tar::Builder<W>,
    root: &Path,
    below: &Path,
    pointers: &mut Vec<String>,
) -> Result<(), FetchError> {
    let mut entries: Vec<_> = std::fs::read_dir(root.join(below))?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        // A submodule has a file of this name, the repository itself a directory.
        if entry.file_name() == ".git" {
            continue;
        }
        let path = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let mut head = header(tar::EntryType::Directory, 0o755, 0);
            builder.append_data(&mut head, &path, std::io::empty())?;
            pack(builder, root, &path, pointers)?;
        } else if kind.is_symlink() {
            let mut head = header(tar::EntryType::Symlink, 0o777, 0);
            builder.append_link(&mut head, &path, std::fs::read_link(entry.path())?)?;
        } else if kind.is_file() {
            let mut file = std::fs::File::open(entry.path())?;
            let meta = file.metadata()?;
            let mut start = Vec::new();
            Read::by_ref(&mut file)
                .take(LFS.len() as u64)
                .read_to_end(&mut start)?;
            if start == LFS {
                pointers.push(path.display().to_string());
            }
            let runs = meta.permissions().mode() & 0o100 != 0;
            let mode = if runs { 0o755 } else { 0o644 };
            let mut head = header(tar::EntryType::Regular, mode, meta.len());
            let whole = std::io::Cursor::new(start).chain(file).take(meta.len());
            builder.append_data(&mut head, &path, whole)?;
        }
    }
    Ok(())
}
