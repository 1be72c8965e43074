//! Where things are, and how to load them.

use std::path::{Path, PathBuf};

use policy::worker::{Limits, Worker};
use policy::{GroupSource, SourceFile};

/// The worker program that cargo built beside the tests.
pub(crate) fn worker() -> Worker {
    // Debug builds on busy machines: what is tested is that there are limits, not how tight.
    Worker::new(PathBuf::from(env!("CARGO_BIN_EXE_policy-worker"))).with_limits(Limits {
        evaluation: std::time::Duration::from_secs(4),
        cpu: std::time::Duration::from_secs(6),
        wall: std::time::Duration::from_secs(120),
        memory: 256 * 1024 * 1024,
        ..Limits::default()
    })
}

/// The root of the tree.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// Every file below a folder, with paths relative to it, sorted.
pub(crate) fn files_below(folder: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(folder).unwrap().to_str().unwrap();
                files.push(SourceFile::new(
                    relative,
                    std::fs::read_to_string(&path).unwrap(),
                ));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// A group of these policies (name, source), all hard-mandatory.
pub(crate) fn group(policies: &[(&str, &str)]) -> GroupSource {
    let mut manifest = String::from("version = \"v1\"\n");
    let mut files = Vec::new();
    for (name, source) in policies {
        manifest.push_str(&format!(
            "policy \"{name}\" {{\n  enforcement_level = \"hard-mandatory\"\n}}\n"
        ));
        files.push(SourceFile::new(format!("{name}.rego"), *source));
    }
    files.push(SourceFile::new("terrane-policy.hcl", manifest));
    GroupSource {
        files,
        ..GroupSource::default()
    }
}
