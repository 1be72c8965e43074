//! Looks through an uploaded archive before a runner ever sees it: a gzip-compressed tar of regular
//! files, directories and links that stay inside (TFE contract, section 4.1). Runners unpack it
//! defensively all the same; here a bad one is refused while its uploader is still there to read why.

use std::io::Read;
use std::path::{Component, Path};

use flate2::read::MultiGzDecoder;

/// How large a configuration may become when it is unpacked.
const MAX_UNPACKED: u64 = 4 << 30;
const MAX_ENTRIES: usize = 200_000;
const MAX_PATH: usize = 4096;

/// Reads a whole archive and says what is wrong with it.
///
/// # Errors
/// One sentence that names the entry and the reason.
pub(super) fn check(archive: impl Read) -> Result<(), String> {
    let mut tar = tar::Archive::new(MultiGzDecoder::new(archive).take(MAX_UNPACKED));
    let entries = tar.entries().map_err(|error| unreadable(&error))?;
    let mut count = 0;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(&error))?;
        count += 1;
        if count > MAX_ENTRIES {
            return Err(format!("it has more than {MAX_ENTRIES} entries"));
        }
        check_entry(&entry)?;
    }
    Ok(())
}

fn unreadable(error: &std::io::Error) -> String {
    format!("it is no gzip-compressed tar archive: {error}")
}

fn check_entry<R: Read>(entry: &tar::Entry<'_, R>) -> Result<(), String> {
    let path = entry
        .path()
        .map_err(|_| "an entry has an unreadable name".to_owned())?;
    let shown = path.display();
    if path.as_os_str().len() > MAX_PATH {
        return Err(format!("an entry's path is longer than {MAX_PATH} bytes"));
    }
    if leaves(&path, 0) {
        return Err(format!("{shown} lies outside the archive"));
    }
    if entry.header().entry_type().is_symlink() {
        let target = entry.link_name().ok().flatten();
        let depth = path
            .components()
            .filter(|it| matches!(it, Component::Normal(_)))
            .count();
        let stays = target.is_some_and(|target| !leaves(&target, depth.saturating_sub(1)));
        if !stays {
            return Err(format!("the link {shown} points outside the archive"));
        }
    }
    if entry.header().entry_type().is_hard_link() {
        let inside = entry
            .link_name()
            .ok()
            .flatten()
            .is_some_and(|target| !leaves(&target, 0));
        if !inside {
            return Err(format!("the link {shown} points outside the archive"));
        }
    }
    Ok(())
}

/// Whether `path`, taken from `depth` directories below the root, leaves it.
fn leaves(path: &Path, depth: usize) -> bool {
    let mut depth = depth;
    for component in path.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn archive(fill: impl FnOnce(&mut tar::Builder<GzEncoder<Vec<u8>>>)) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        fill(&mut builder);
        builder.into_inner().unwrap().finish().unwrap()
    }

    /// A header whose name the builder would refuse.
    fn raw(name: &str, kind: tar::EntryType, link: &str) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        header
    }

    fn one(name: &str, kind: tar::EntryType, link: &str) -> Vec<u8> {
        archive(|tar| {
            tar.append(&raw(name, kind, link), std::io::empty())
                .unwrap()
        })
    }

    #[test]
    fn a_plain_archive_passes() {
        let good = archive(|tar| {
            tar.append(
                &raw("main.tf", tar::EntryType::Regular, ""),
                std::io::empty(),
            )
            .unwrap();
            tar.append(
                &raw("a/b", tar::EntryType::Symlink, "../main.tf"),
                std::io::empty(),
            )
            .unwrap();
        });
        assert_eq!(check(good.as_slice()), Ok(()));
    }

    #[test]
    fn what_leaves_the_archive_is_named() {
        for (name, kind, link) in [
            ("../evil", tar::EntryType::Regular, ""),
            ("/etc/passwd", tar::EntryType::Regular, ""),
            ("a/../../evil", tar::EntryType::Regular, ""),
            ("link", tar::EntryType::Symlink, "/etc/passwd"),
            ("a/link", tar::EntryType::Symlink, "../../evil"),
            ("hard", tar::EntryType::Link, "../evil"),
        ] {
            let error = check(one(name, kind, link).as_slice()).unwrap_err();
            assert!(error.contains("outside"), "{name}: {error}");
        }
    }

    #[test]
    fn garbage_is_no_archive() {
        for garbage in [&b"hello"[..], &[0x1f, 0x8b, 8, 0, 1, 2, 3]] {
            assert!(
                check(garbage)
                    .unwrap_err()
                    .contains("no gzip-compressed tar")
            );
        }
    }
}
