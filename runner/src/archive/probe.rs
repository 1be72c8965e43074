//! What must hold for any archive whatever: the body of the fuzz target `archives` in `fuzz/`.
//!
//! It lives here and not there so that the corpus is replayed by an ordinary `cargo test`.

use std::fs;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::{Limits, UnpackError, Unpacked, unpack};

/// Small, so that small inputs reach them.
const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    entries: 64,
    path: 300,
    depth: 16,
};
/// Where the target lies below the directory that is looked at.
const PLACE: &str = "a/b/target";

/// Unpacks `data` and asserts that nothing outside the target was touched and, if it was accepted,
/// that all links end inside and that the limits were kept.
///
/// # Errors
/// The unpacker's own.
///
/// # Panics
/// When a promise is broken.
pub fn archives(data: &[u8]) -> Result<Unpacked, UnpackError> {
    let outer = tempfile::tempdir().expect("a temporary directory");
    let outer = fs::canonicalize(outer.path()).expect("it was just made");
    let _removed = Removed(outer.clone());
    let inner = outer.join(PLACE);
    fs::create_dir_all(&inner).expect("the temporary directory is writable");
    let target = Dir::open_ambient_dir(&inner, ambient_authority()).expect("it was just made");

    let result = unpack(data, &target, LIMITS);

    let outside = below(&outer, &inner);
    assert_eq!(
        outside.len(),
        PLACE.split('/').count(),
        "something came to lie outside: {outside:?}"
    );
    if let Ok(unpacked) = &result {
        check(&inner, unpacked);
    }
    result
}

fn check(inner: &Path, unpacked: &Unpacked) {
    let (mut files, mut bytes, mut directories) = (0, 0, 0);
    for path in below(inner, Path::new("")) {
        let metadata = fs::symlink_metadata(&path).expect("it was just listed");
        if metadata.is_symlink() {
            let text = fs::read_link(&path).expect("it is a link");
            let parent = path.parent().expect("it lies below the target");
            assert!(
                leads_inside(inner, parent, &text),
                "{} leads outside: {}",
                path.display(),
                text.display()
            );
        } else if metadata.is_dir() {
            directories += 1;
        } else {
            files += 1;
            bytes += metadata.len();
        }
    }
    assert!(directories <= LIMITS.entries, "{directories} directories");
    assert!(unpacked.bytes <= LIMITS.bytes, "{unpacked:?}");
    // Hard links count more than once here, what was replaced less than once.
    assert!(files <= LIMITS.entries, "{files} files");
    assert!(bytes <= LIMITS.bytes * LIMITS.entries);
}

/// Whether a link in the directory `from` stays below `inner`, by the file system's own account of
/// where the directories on its way really lie.
fn leads_inside(inner: &Path, from: &Path, text: &Path) -> bool {
    let mut here = fs::canonicalize(from).expect("it was just listed");
    for component in text.components() {
        let next = here.join(component);
        here = match fs::canonicalize(&next) {
            Ok(real) => real,
            // What isn't there can't be followed, except by its text.
            Err(_) if component == std::path::Component::ParentDir => {
                here.parent().map_or_else(|| "/".into(), Path::to_owned)
            }
            Err(_) => next,
        };
        if !here.starts_with(inner) {
            return false;
        }
    }
    true
}

/// Everything below `root`, without what lies below `except`.
fn below(root: &Path, except: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the target") {
            let path = entry.expect("a directory of the target").path();
            let is_directory = fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir());
            if is_directory && path != except {
                left.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

/// Removes a directory, also when a promise is broken.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The archive with the checksums of its headers put right: few inputs would get past them.
pub fn with_checksums(mut archive: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while let Some(block) = archive.get_mut(at..at + 512) {
        if block.iter().all(|byte| *byte == 0) {
            break;
        }
        let header = tar::Header::from_byte_slice(block);
        let size = header.entry_size().unwrap_or(0);
        let mut header = header.clone();
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
        let content = size.div_ceil(512).saturating_mul(512);
        at = usize::try_from(content)
            .ok()
            .and_then(|content| content.checked_add(at + 512))
            .unwrap_or(usize::MAX - 512);
    }
    archive
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names tell what is expected: `good-` is accepted; `hostile-` is refused here and at its
    /// upload; `unpacker-` is refused here only; what the fuzzer found has no such name.
    #[test]
    fn the_corpus_of_archives() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/archives");
        let mut files = 0;
        for path in below(&corpus, Path::new("")) {
            let data = fs::read(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let result = archives(&data);
            if name.starts_with("good-") {
                assert!(result.is_ok(), "{name}: {result:?}");
            }
            if name.starts_with("hostile-") || name.starts_with("unpacker-") {
                assert!(result.is_err(), "{name} was unpacked");
            }
            let _ = archives(&with_checksums(data));
            files += 1;
        }
        assert!(files > 20, "no corpus in {}", corpus.display());
    }
}
