//! States that terraform could not write where it wanted to.
//!
//! It puts them into `errored.tfstate`, or, when that fails too, prints them. Either is newer than
//! what the journal has.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::value::RawValue;
use step::{Command, DumpDetector, StateDump, Stream};

use crate::journal::{Journal, LARGEST_STATE, Offer};
use crate::output::Output;
use crate::paths::Root;

/// What to look for after one command.
#[derive(Debug)]
pub(crate) struct Rescue {
    errored: PathBuf,
    modified_before: Option<SystemTime>,
}

impl Rescue {
    /// To be made before the command begins: an older file is none of its.
    pub(crate) fn before(root: &Root, command: &Command) -> Self {
        let errored = command.working_directory.join("errored.tfstate");
        let modified_before = modified(root, &errored);
        Self {
            errored,
            modified_before,
        }
    }

    /// Takes what there is into the journal; tells where in the output a state was printed.
    pub(crate) fn after(
        &self,
        root: &Root,
        output: &Output,
        journal: &Mutex<Journal>,
    ) -> Option<StateDump> {
        let dump = find_dump(root, output);
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self
            .errored_state(root)
            .and_then(|state| offer(&mut journal, &state));
        if taken.is_none()
            && let Some(found) = dump
            && let Some(state) = printed_state(root, path_of(output, found.stream), found.offset)
        {
            offer(&mut journal, &state);
        }
        dump
    }

    fn errored_state(&self, root: &Root) -> Option<Vec<u8>> {
        let now = modified(root, &self.errored);
        if now.is_none() || now == self.modified_before {
            return None;
        }
        log(
            root.read(&self.errored, LARGEST_STATE),
            "errored.tfstate can't be read",
        )
        .flatten()
    }
}

/// `None` unless it is whole and kept.
fn offer(journal: &mut Journal, state: &[u8]) -> Option<()> {
    let offered = log(
        journal.offer_errored(state),
        "a state put aside can't be kept",
    )?;
    (offered == Offer::Taken || offered == Offer::Known).then_some(())
}

fn find_dump(root: &Root, output: &Output) -> Option<StateDump> {
    [Stream::Stdout, Stream::Stderr]
        .into_iter()
        .find_map(|stream| {
            let mut file = log(
                root.open_file(path_of(output, stream)),
                "an output file can't be read",
            )??;
            let mut detector = DumpDetector::default();
            let mut piece = vec![0; 64 << 10];
            loop {
                match file.read(&mut piece) {
                    Ok(0) => return None,
                    Ok(length) => {
                        if let Some(offset) = detector.feed(&piece[..length]) {
                            return Some(StateDump { stream, offset });
                        }
                    }
                    Err(error) => return log(Err(error), "an output file can't be read"),
                }
            }
        })
}

/// The state printed at `offset`: within a JSON line, or as it is.
fn printed_state(root: &Root, path: &Path, offset: u64) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        state: Option<&'a RawValue>,
    }
    let read = || -> io::Result<Option<Vec<u8>>> {
        let Some(mut file) = root.open_file(path)? else {
            return Ok(None);
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut text = vec![];
        file.take(LARGEST_STATE).read_to_end(&mut text)?;
        Ok(Some(text))
    };
    let text = log(read(), "an output file can't be read")??;
    let whole = serde_json::Deserializer::from_slice(&text)
        .into_iter::<&RawValue>()
        .next()?
        .ok()?;
    let line: Line<'_> = serde_json::from_str(whole.get()).ok()?;
    Some(line.state.unwrap_or(whole).get().as_bytes().to_vec())
}

fn path_of(output: &Output, stream: Stream) -> &Path {
    match stream {
        Stream::Stdout => &output.stdout,
        Stream::Stderr => &output.stderr,
    }
}

fn modified(root: &Root, path: &Path) -> Option<SystemTime> {
    root.open_file(path).ok()??.metadata().ok()?.modified().ok()
}

fn log<T>(result: io::Result<T>, what: &str) -> Option<T> {
    result
        .inspect_err(|error| eprintln!("terrane-supervisor: {what}: {error}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_state_out_of_both_forms() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let human = "{\n  \"version\": 4,\n  \"lineage\": \"}\"\n}\n";
        std::fs::write(
            directory.path().join("h"),
            format!("before\n{human}\nError: x\n"),
        )
        .unwrap();
        let state = printed_state(&root, Path::new("h"), 7).unwrap();
        assert_eq!(String::from_utf8(state).unwrap(), human.trim_end());
        let json = r#"{"@message":"Emergency state dump","state":{"version":4},"type":"log"}"#;
        std::fs::write(directory.path().join("j"), format!("{json}\n{{}}\n")).unwrap();
        let state = printed_state(&root, Path::new("j"), 0).unwrap();
        assert_eq!(state, br#"{"version":4}"#);
        std::fs::write(directory.path().join("c"), &json[..40]).unwrap();
        assert_eq!(printed_state(&root, Path::new("c"), 0), None);
    }
}
