//! The few small files through which people and machines get into an installation that keeps them
//! beside its database: a `terrane dev` has its CA, passwords and tokens there.
//!
//! They are secrets, so they are in a backup as one file sealed under the installation key, which
//! the backup doesn't hold: as everything else in it, it tells nothing to who has the backup alone.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use vault::{Context, Keyring};

use super::error::BackupError;
use super::manifest::{Listed, check_file, private_file};

const CONTEXT: Context<'static> = Context {
    account: "",
    kind: "backup-files",
    id: "data-directory",
};
/// Longest file, and longest of all of them sealed: keys and tokens.
const LONGEST: u64 = 64 * 1024;
const LONGEST_SEALED: u64 = 1024 * 1024;

/// Files below a directory, by their paths in it. What isn't there isn't missed.
#[derive(Debug, Clone, Copy)]
pub struct SmallFiles<'a> {
    pub directory: &'a Path,
    pub names: &'a [&'a str],
}

type Contents = BTreeMap<String, String>;

fn sealed_file(backup: &Path) -> PathBuf {
    backup.join("files.sealed")
}

impl SmallFiles<'_> {
    pub(super) fn save(&self, ring: &Keyring, backup: &Path) -> Result<Listed, BackupError> {
        let mut contents = Contents::new();
        for name in self.names {
            let path = self.directory.join(name);
            if let Some(text) = read(&path, LONGEST).map_err(BackupError::at(&path))? {
                let text = String::from_utf8(text).map_err(|error| {
                    BackupError::at(&path)(io::Error::new(io::ErrorKind::InvalidData, error))
                })?;
                contents.insert((*name).to_owned(), text);
            }
        }
        let path = sealed_file(backup);
        let plain =
            serde_json::to_vec(&contents).map_err(|error| BackupError::at(&path)(error.into()))?;
        let sealed = ring.seal(&CONTEXT, &plain);
        let written = private_file(&path).and_then(|mut file| {
            file.write_all(&sealed)?;
            file.sync_all()
        });
        written.map_err(BackupError::at(&path))?;
        Ok(Listed {
            name: "files".to_owned(),
            lines: contents.len() as u64,
            sha256: hex::encode(Sha256::digest(&sealed)),
        })
    }

    /// The files of a backup, if they can all be put here. Writes nothing.
    pub(super) fn open(
        &self,
        ring: &Keyring,
        listed: &Listed,
        backup: &Path,
    ) -> Result<Contents, BackupError> {
        let path = sealed_file(backup);
        // Sealed ones of other backups can be opened as well.
        check_file(&path, listed)?;
        let broken = |reason: String| BackupError::broken(&path, reason);
        let sealed = read(&path, LONGEST_SEALED)
            .map_err(BackupError::at(&path))?
            .ok_or_else(|| broken("the file is missing".to_owned()))?;
        let plain = ring
            .open(&CONTEXT, &sealed)
            .map_err(|error| broken(error.to_string()))?;
        let contents: Contents =
            serde_json::from_slice(plain.expose()).map_err(|error| broken(error.to_string()))?;
        for (name, text) in &contents {
            if !self.names.contains(&name.as_str()) {
                return Err(broken(format!("this program knows no file {name:?}")));
            }
            let place = self.directory.join(name);
            let there = read(&place, LONGEST).map_err(BackupError::at(&place))?;
            if there.is_some_and(|there| there != text.as_bytes()) {
                return Err(BackupError::FileInUse { path: place });
            }
        }
        Ok(contents)
    }

    /// Puts the files into their places.
    pub(super) fn restore(&self, contents: &Contents) -> Result<(), BackupError> {
        for (name, text) in contents {
            let place = self.directory.join(name);
            place_file(&place, text.as_bytes()).map_err(BackupError::at(&place))?;
        }
        Ok(())
    }
}

/// Whole or not at all, as others may look at it. One that is there is the same, see `open`.
fn place_file(place: &Path, contents: &[u8]) -> io::Result<()> {
    if place.exists() {
        return Ok(());
    }
    let parent = place.parent().unwrap_or_else(|| Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)?;
    let scratch = place.with_extension("restored");
    match std::fs::remove_file(&scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = private_file(&scratch)?;
    file.write_all(contents)?;
    file.sync_all()?;
    std::fs::rename(&scratch, place)?;
    File::open(parent)?.sync_all()
}

/// The content of a file of bounded length, `None` if there is none.
fn read(path: &Path, longest: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    file.take(longest + 1).read_to_end(&mut content)?;
    if content.len() as u64 > longest {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is longer than {longest} bytes"),
        ));
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use vault::InstallationKey;

    use super::*;

    const NAMES: &[&str] = &["token", "ca/ca.key", "absent"];

    fn ring() -> Keyring {
        Keyring::new(InstallationKey::generate(), Vec::new())
    }

    fn files(directory: &Path) -> SmallFiles<'_> {
        SmallFiles {
            directory,
            names: NAMES,
        }
    }

    #[test]
    fn secrets_go_there_and_back_and_are_never_in_clear() {
        let (old, new, backup) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        std::fs::create_dir(old.path().join("ca")).unwrap();
        std::fs::write(old.path().join("token"), "trn_secret").unwrap();
        std::fs::write(old.path().join("ca/ca.key"), "a key\n").unwrap();
        let ring = ring();
        let listed = files(old.path()).save(&ring, backup.path()).unwrap();
        assert_eq!(listed.lines, 2);
        let sealed = std::fs::read(sealed_file(backup.path())).unwrap();
        assert!(!sealed.windows(10).any(|it| it == b"trn_secret"));

        let place = files(new.path());
        // As often as it is tried.
        for _ in 0..2 {
            let contents = place.open(&ring, &listed, backup.path()).unwrap();
            place.restore(&contents).unwrap();
        }
        let path = new.path().join("ca/ca.key");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a key\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!new.path().join("absent").exists());
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_foreign_is_written() {
        let (old, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(old.path().join("token"), "one").unwrap();
        let ring = ring();
        let listed = files(old.path()).save(&ring, backup.path()).unwrap();

        let other_key = files(old.path()).open(&self::ring(), &listed, backup.path());
        assert!(matches!(other_key, Err(BackupError::Broken { .. })));
        let fewer = SmallFiles {
            directory: old.path(),
            names: &["absent"],
        };
        let foreign = fewer.open(&ring, &listed, backup.path());
        assert!(matches!(foreign, Err(BackupError::Broken { .. })));
        std::fs::write(old.path().join("token"), "two").unwrap();
        let taken = files(old.path()).open(&ring, &listed, backup.path());
        assert!(matches!(taken, Err(BackupError::FileInUse { .. })));

        let later = tempfile::tempdir().unwrap();
        files(old.path()).save(&ring, later.path()).unwrap();
        let exchanged = files(old.path()).open(&ring, &listed, later.path());
        assert!(matches!(exchanged, Err(BackupError::Broken { .. })));
    }
}
