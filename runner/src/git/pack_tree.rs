//! A commit's tree as a tar archive, straight from the object database.

use std::io::Write;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Repository, Tree};

use super::FetchError;

/// 2000-01-01, as all archives of the runner have it.
const MODIFIED: u64 = 946_684_800;
const SYMLINK: i32 = 0o120_000;
const EXECUTABLE: i32 = 0o100_755;
/// What stands in a repository for a file that Git LFS keeps elsewhere begins so.
pub(super) const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

/// What of a tree is not in its archive, by the first path of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// Asked for, and not fetched.
    pub(super) submodule: Option<String>,
    /// A file that Git LFS keeps, packed as a pointer.
    pub(super) lfs: Option<String>,
}

/// Writes all files of `tree` to `out`.
pub(super) fn pack_tree<W: Write>(
    repository: &Repository,
    tree: &Tree<'_>,
    submodules: bool,
    out: W,
) -> Result<(W, Left), FetchError> {
    let mut builder = tar::Builder::new(out);
    let mut packer = Packer {
        repository,
        submodules,
        left: Left::default(),
        builder: &mut builder,
    };
    packer.tree(tree, Path::new(""))?;
    let left = packer.left;
    Ok((builder.into_inner()?, left))
}

struct Packer<'a, W: Write> {
    repository: &'a Repository,
    submodules: bool,
    left: Left,
    builder: &'a mut tar::Builder<W>,
}

impl<W: Write> Packer<'_, W> {
    fn tree(&mut self, tree: &Tree<'_>, path: &Path) -> Result<(), FetchError> {
        for entry in tree {
            let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            let path = path.join(&name);
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let below = self.repository.find_tree(entry.id())?;
                    self.header(&path, tar::EntryType::Directory, 0o755, &[])?;
                    self.tree(&below, &path)?;
                }
                Some(ObjectType::Blob) => self.blob(entry.id(), entry.filemode(), path)?,
                // A submodule that was not asked for is an empty directory, as git makes it.
                Some(ObjectType::Commit) => {
                    if self.submodules && self.left.submodule.is_none() {
                        self.left.submodule = Some(path.display().to_string());
                    }
                    self.header(&path, tar::EntryType::Directory, 0o755, &[])?;
                }
                Some(ObjectType::Any | ObjectType::Tag) | None => {}
            }
        }
        Ok(())
    }

    fn blob(&mut self, id: git2::Oid, mode: i32, path: PathBuf) -> Result<(), FetchError> {
        let blob = self.repository.find_blob(id)?;
        let content = blob.content();
        if mode == SYMLINK {
            let mut header = header(tar::EntryType::Symlink, 0o777, 0);
            let target = String::from_utf8_lossy(content).into_owned();
            self.builder.append_link(&mut header, path, target)?;
            return Ok(());
        }
        if content.starts_with(LFS) {
            let name = || path.display().to_string();
            self.left.lfs.get_or_insert_with(name);
        }
        let mode = if mode == EXECUTABLE { 0o755 } else { 0o644 };
        self.header(&path, tar::EntryType::Regular, mode, content)
    }

    fn header(
        &mut self,
        path: &Path,
        kind: tar::EntryType,
        mode: u32,
        content: &[u8],
    ) -> Result<(), FetchError> {
        let mut header = header(kind, mode, content.len() as u64);
        self.builder.append_data(&mut header, path, content)?;
        Ok(())
    }
}

pub(super) fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MODIFIED);
    header
}
