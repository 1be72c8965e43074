//! The terraform or tofu on the search path, and its version.
//!
//! Asking a binary for its version costs as much as starting it, at each job; the answer is kept for
//! as long as the file is the same one. Only for programs: what a wrapper script starts can change
//! without the script.

use std::collections::HashMap;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::process::Command;

use crate::machine;
use crate::terraform_binary::Binary;

/// How long `terraform version` may take.
const PATIENCE: Duration = Duration::from_secs(20);
const PROGRAM: [u8; 4] = *b"\x7fELF";

/// What tells one file from another that took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The binaries on the search path, as far as they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Installed(Mutex<HashMap<PathBuf, (Mark, String)>>);

impl Installed {
    /// The `engine` (`terraform`, `tofu`) on the search path; `None` if there is none or it doesn't
    /// tell its version.
    pub(crate) async fn find(&self, engine: &str) -> Option<Binary> {
        let path = machine::find_program(engine)?;
        let version = self.version_of(&path).await?;
        Some(Binary { path, version })
    }

    async fn version_of(&self, path: &Path) -> Option<String> {
        let Ok(Some(mark)) = mark_of_program(path) else {
            return ask(path).await;
        };
        let known = self.0.lock().get(path).cloned();
        if let Some((marked, version)) = known
            && marked == mark
        {
            return Some(version);
        }
        let version = ask(path).await?;
        let entry = (mark, version.clone());
        self.0.lock().insert(path.to_owned(), entry);
        Some(version)
    }
}

/// The mark of a file; `None` if it is no program itself.
fn mark_of_program(path: &Path) -> io::Result<Option<Mark>> {
    let mut file = std::fs::File::open(path)?;
    let mut begin = [0; PROGRAM.len()];
    if file.read(&mut begin)? < begin.len() || begin != PROGRAM {
        return Ok(None);
    }
    let about = file.metadata()?;
    Ok(Some(Mark {
        device: about.dev(),
        inode: about.ino(),
        size: about.len(),
        modified: (about.mtime(), about.mtime_nsec()),
        changed: (about.ctime(), about.ctime_nsec()),
    }))
}

/// Asks a binary for its version.
async fn ask(path: &Path) -> Option<String> {
    let output = Command::new(path)
        .args(["version", "-json"])
        .env_clear()
        .env("CHECKPOINT_DISABLE", "1")
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await.ok()?.ok()?;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    answer.get("terraform_version")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn script(path: &Path, version: &str) {
        let text = format!("#!/bin/sh\necho '{{\"terraform_version\": \"{version}\"}}'\n");
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn a_wrapper_is_asked_each_time() {
        let place = tempfile::tempdir().unwrap();
        let (path, chosen) = (place.path().join("terraform"), place.path().join("chosen"));
        script(&chosen, "1.0.0");
        std::fs::write(&path, format!("#!/bin/sh\nexec {}\n", chosen.display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let installed = Installed::default();
        assert_eq!(installed.version_of(&path).await.unwrap(), "1.0.0");
        script(&chosen, "1.1.0");
        assert_eq!(installed.version_of(&path).await.unwrap(), "1.1.0");
    }

    #[tokio::test]
    async fn a_program_is_asked_once_until_another_takes_its_place() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("terraform");
        std::fs::write(&path, b"\x7fELF, not really").unwrap();
        let installed = Installed::default();
        let mark = mark_of_program(&path).unwrap().unwrap();
        let known = (mark, "1.2.3".to_owned());
        installed.0.lock().insert(path.clone(), known);
        assert_eq!(installed.version_of(&path).await.unwrap(), "1.2.3");
        let other = place.path().join("other");
        std::fs::write(&other, b"\x7fELF, another one").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(installed.version_of(&path).await, None);
    }
}
