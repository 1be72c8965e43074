//! What a step has left of its state: every copy that parses, by serial.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use step::{JournalEntry, files};

use crate::job::StepDir;

/// Where a copy was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The file that terraform writes, or the HTTP backend's copy.
    StateFile,
    /// The supervisor's newest snapshot in clear.
    Snapshot,
    /// Sealed to the control plane; only it can read it.
    Journal,
    /// What terraform could write nowhere else; its serial says little.
    Errored,
}

/// One copy of the state.
#[derive(Debug)]
pub struct Found {
    pub source: Source,
    pub file: File,
    pub serial: i64,
    pub lineage: String,
}

/// All copies, newest first; of the same serial the one in clear first. Whatever does not parse or
/// has another lineage than `lineage` (if that is known) is left out.
pub fn found(step: &StepDir, state_file: Option<&Path>, lineage: &str) -> Vec<Found> {
    let mut all = Vec::new();
    if let Some(path) = state_file {
        all.extend(in_clear(step, path, Source::StateFile));
    }
    all.extend(in_clear(step, Path::new(files::SNAPSHOT), Source::Snapshot));
    all.extend(sealed(step));
    all.retain(|it| lineage.is_empty() || it.lineage == lineage);
    all.sort_by_key(|it| (std::cmp::Reverse(it.serial), it.source as u8));
    all
}

/// The state that terraform could write nowhere else, if there is one: newer than all others.
pub(super) fn errored(step: &StepDir) -> Option<Found> {
    in_clear(step, Path::new(files::SNAPSHOT_ERRORED), Source::Errored)
}

fn in_clear(step: &StepDir, path: &Path, source: Source) -> Option<Found> {
    let mut file = step.open_if_there(path).ok().flatten()?;
    let head = terraform::state::head(io::BufReader::new(&mut file)).ok()?;
    file.rewind().ok()?;
    let serial = i64::try_from(head.serial).ok()?;
    Some(Found {
        source,
        file,
        serial,
        lineage: head.lineage,
    })
}

/// The newest sealed snapshot that is whole.
fn sealed(step: &StepDir) -> Option<Found> {
    let mut entries: Vec<(JournalEntry, PathBuf)> = step
        .dir()
        .read_dir(files::JOURNAL)
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|name| {
            let path = Path::new(files::JOURNAL).join(&name);
            let entry = step.read_json(path.with_extension("json")).ok()??;
            Some((entry, path.with_extension("sealed")))
        })
        .collect();
    entries.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.serial));
    entries.into_iter().find_map(|(entry, path)| {
        let file = step.open_if_there(path).ok().flatten()?;
        (file.metadata().ok()?.len() > 0).then_some(Found {
            source: Source::Journal,
            file,
            serial: entry.serial,
            lineage: entry.lineage,
        })
    })
}

/// The MD5 of a file, in hex, as the contract names states.
///
/// # Errors
/// The file system's own.
pub(super) fn md5_of(file: &File) -> io::Result<String> {
    use md5::{Digest, Md5};
    let mut reader = file;
    reader.rewind()?;
    let mut hasher = Md5::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(serial: u32, lineage: &str) -> String {
        format!(r#"{{"version":4,"serial":{serial},"lineage":"{lineage}","resources":[]}}"#)
    }

    fn step(files: &[(&str, &str)]) -> (tempfile::TempDir, StepDir) {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let step = StepDir::open_existing(directory.path()).unwrap();
        (directory, step)
    }

    const FILE: Option<&Path> = None;

    fn entry(serial: i64) -> String {
        format!(
            r#"{{"serial":{serial},"lineage":"l","size":1,"sha256_hex":"","md5_hex":"","key_id":"k"}}"#
        )
    }

    #[test]
    fn a_torn_state_file_yields_to_the_snapshot() {
        let torn = &state(9, "l")[..30];
        let (_keep, step) = step(&[
            ("state/terraform.tfstate", torn),
            (files::SNAPSHOT, &state(8, "l")),
        ]);
        let all = found(&step, Some(Path::new("state/terraform.tfstate")), "l");
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].serial, all[0].source), (8, Source::Snapshot));
    }

    #[test]
    fn an_empty_or_foreign_state_is_none() {
        let (_keep, step) = step(&[("s", ""), (files::SNAPSHOT, &state(3, "other"))]);
        assert!(found(&step, Some(Path::new("s")), "l").is_empty());
        assert_eq!(found(&step, FILE, "").len(), 1);
    }

    #[test]
    fn a_newer_journal_comes_first_and_an_equal_one_last() {
        let (_keep, step) = step(&[
            (files::SNAPSHOT, &state(7, "l")),
            ("journal/7.json", &entry(7)),
            ("journal/7.sealed", "x"),
        ]);
        let all = found(&step, FILE, "l");
        let order: Vec<_> = all.iter().map(|it| it.source).collect();
        assert_eq!(order, [Source::Snapshot, Source::Journal]);
        std::fs::write(step.path().join("journal/8.json"), entry(8)).unwrap();
        std::fs::write(step.path().join("journal/8.sealed"), "x").unwrap();
        assert_eq!(found(&step, FILE, "l")[0].serial, 8);
    }
}
