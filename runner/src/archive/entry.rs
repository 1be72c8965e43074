//! Names and links inside an archive: which of them stay below the root.

use std::path::{Component, Path, PathBuf};

/// A path of an archive without `.` components; `None` for the root itself.
///
/// # Errors
/// The reason why the path can't be used.
pub(super) fn relative(path: &Path) -> Result<Option<PathBuf>, &'static str> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err("it goes up with `..`"),
            Component::RootDir | Component::Prefix(_) => return Err("it is absolute"),
        }
    }
    Ok((!clean.as_os_str().is_empty()).then_some(clean))
}

/// Whether a symlink at `link` that points to `target` stays below the root, by its text alone.
/// What other symlinks do to it is checked once all of them are there.
pub(super) fn stays_inside(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count().saturating_sub(1);
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

/// macOS resource forks that archives made there carry along.
pub(super) fn is_resource_fork(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"._"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_must_stay_below() {
        assert_eq!(
            relative(Path::new("./a//b/./c")),
            Ok(Some(PathBuf::from("a/b/c")))
        );
        assert_eq!(relative(Path::new("./")), Ok(None));
        assert!(relative(Path::new("/etc/passwd")).is_err());
        assert!(relative(Path::new("a/../b")).is_err());
    }

    #[test]
    fn links_are_counted_from_their_own_directory() {
        assert!(stays_inside(Path::new("a/b"), Path::new("../c")));
        assert!(!stays_inside(Path::new("a/b"), Path::new("../../c")));
        assert!(!stays_inside(Path::new("a"), Path::new("/c")));
        assert!(stays_inside(Path::new("a"), Path::new("b/../c")));
        assert!(!stays_inside(Path::new("a"), Path::new("b/../../c")));
    }
}
