//! Looks for values in everything that a server leaves, says and runs.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use tests::{Api, Dev};

use super::forms::forms;
use super::places::Planted;

/// A text in which a value may not be, and where it was.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) place: String,
    pub(super) bytes: Vec<u8>,
}

impl Text {
    pub(super) fn new(place: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let (place, bytes) = (place.into(), bytes.into());
        Self { place, bytes }
    }
}

/// A value that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) value: &'static str,
    pub(super) form: String,
    pub(super) place: String,
}

/// Looks for some values, in every form.
pub(super) struct Search {
    automaton: AhoCorasick,
    /// What each pattern is of.
    of: Vec<(Planted, String)>,
}

impl Search {
    pub(super) fn new(planted: &[Planted]) -> Self {
        let (mut patterns, mut of) = (Vec::new(), Vec::new());
        for value in planted {
            for form in value.needles().iter().flat_map(|it| forms(it)) {
                patterns.push(form.bytes);
                of.push((value.clone(), form.name));
            }
        }
        let automaton = AhoCorasick::new(patterns).unwrap();
        Self { automaton, of }
    }

    /// Every value in these texts, but for where it may be.
    pub(super) fn texts(&self, texts: &[Text]) -> Vec<Found> {
        let mut found = Vec::new();
        for text in texts {
            let hits = self.automaton.find_overlapping_iter(&text.bytes);
            let hits: BTreeSet<usize> = hits.map(|it| it.pattern().as_usize()).collect();
            for hit in hits {
                let (planted, form) = &self.of[hit];
                if !planted.may_be.iter().any(|it| text.place.contains(it)) {
                    found.push(Found {
                        value: planted.name,
                        form: form.clone(),
                        place: text.place.clone(),
                    });
                }
            }
        }
        found
    }
}

/// All files below a directory: rows and their logs, objects, logs, what runners left. What is
/// gzipped is looked at unpacked as well.
pub(super) fn files(directory: &Path) -> Vec<Text> {
    let mut texts = Vec::new();
    let mut waiting: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file()
                && let Ok(bytes) = std::fs::read(&path)
            {
                let mut unpacked = Vec::new();
                if bytes.starts_with(&[0x1f, 0x8b]) {
                    let _ = flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked);
                }
                let place = format!("file {}", path.display());
                texts.push(Text::new(format!("{place} (unpacked)"), unpacked));
                texts.push(Text::new(place, bytes));
            }
        }
    }
    texts
}

/// Programs whose environment holds no secret of a run or of the installation.
const CLEAN: &[&str] = &["terrane", "terrane-runner", "terrane-supervisor"];

/// Command lines of all processes that work for the server, and the environment of our own programs.
pub(super) fn processes(dev: &Dev) -> Vec<Text> {
    let mut texts = Vec::new();
    for (pid, line) in dev.processes() {
        let program = line.split(' ').next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default().to_owned();
        texts.push(Text::new(format!("arguments of {program} ({pid})"), line));
        if CLEAN.contains(&program.as_str())
            && let Ok(bytes) = std::fs::read(format!("/proc/{pid}/environ"))
        {
            texts.push(Text::new(
                format!("environment of {program} ({pid})"),
                bytes,
            ));
        }
    }
    texts
}

/// Answers to every GET of the API document whose parameters are known.
pub(super) async fn answers(api: &Api, known: &[(&str, String)]) -> Vec<Text> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let document = std::fs::read_to_string(path).unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let mut texts = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_none() {
            continue;
        }
        let mut filled = path.clone();
        for (name, value) in known {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        if filled.contains('{') {
            continue;
        }
        let answer = api.get(&filled).await;
        texts.push(Text::new(format!("answer to GET {path}"), answer.bytes));
    }
    texts
}
