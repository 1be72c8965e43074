//! Which files are tested together.
//!
//! Most folders are a unit of their own, as `opa test FOLDER` takes them. Some layouts need more
//! sense: a policy set (`policies.hcl`) is one unit with everything below it, tests in a folder
//! apart (`policies/`, `tests/`) make one of the folder around both, and a group that
//! declares several policies in one folder is tested policy by policy, because it is evaluated so
//! (loaded together, all their denials would fall into one set).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::manifest::{self, GroupKind};
use crate::rego::source::SourceFile;

/// Files that are loaded together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestUnit {
    /// The folder, relative to what was given; for one policy of many, `FOLDER/POLICY`.
    pub name: String,
    pub files: Vec<SourceFile>,
    /// Documents with the files they come from, placed below `data` already.
    pub data: Vec<(String, serde_json::Value)>,
}

/// Sorts the files below one folder into units. `common` is loaded beside each, where its packages
/// don't clash with the unit's own.
///
/// # Errors
/// One problem for each data file that can't be parsed.
pub fn units(files: &[SourceFile], common: &[SourceFile]) -> Result<Vec<TestUnit>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut units = Vec::new();
    for (folder, inside) in split(files) {
        match documents(&folder, &inside) {
            Ok(data) => units.extend(of_folder(&folder, &inside, &data, common)),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(units)
    } else {
        Err(problems)
    }
}

/// Folders that are units, each with its files; paths are relative to the folder.
fn split(files: &[SourceFile]) -> BTreeMap<String, Vec<SourceFile>> {
    let wholes = wholes(files);
    let mut folders: BTreeMap<String, Vec<SourceFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.is_rego()) {
        let whole = wholes.iter().find(|whole| is_below(file.folder(), whole));
        let folder = whole.map_or_else(|| file.folder(), String::as_str);
        folders.entry(folder.to_owned()).or_default();
    }
    for (folder, inside) in &mut folders {
        for file in files {
            // Files of folders below are theirs, unless the folder is a whole.
            if file.folder() == folder
                || (wholes.contains(folder) && is_below(file.folder(), folder))
            {
                let path = file.path[folder.len()..].trim_start_matches('/');
                inside.push(SourceFile::new(path, file.text.clone()));
            }
        }
    }
    folders
}

/// Folders that are units with everything below them, the outer ones first: those with a policy
/// set's manifest, and those around a folder that holds tests and nothing to test.
fn wholes(files: &[SourceFile]) -> Vec<String> {
    let mut wholes: BTreeSet<String> = files
        .iter()
        .filter(|file| manifest::kind_of(file.name()) == Some(GroupKind::Queries))
        .map(|file| file.folder().to_owned())
        .collect();
    let rego: Vec<&SourceFile> = files.iter().filter(|file| file.is_rego()).collect();
    let tested: BTreeSet<&str> = rego
        .iter()
        .filter(|file| !file.is_test())
        .map(|file| file.folder())
        .collect();
    for file in &rego {
        let folder = file.folder();
        if !folder.is_empty() && !tested.contains(folder) {
            wholes.insert(
                folder
                    .rsplit_once('/')
                    .map_or("", |(outer, _)| outer)
                    .to_owned(),
            );
        }
    }
    wholes.into_iter().collect()
}

/// Whether `folder` is `outer` or lies in it.
fn is_below(folder: &str, outer: &str) -> bool {
    outer.is_empty()
        || folder
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn documents(
    folder: &str,
    files: &[SourceFile],
) -> Result<Vec<(String, serde_json::Value)>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut documents = Vec::new();
    for file in files {
        let is_data = [".json", ".yaml", ".yml"]
            .iter()
            .any(|ending| file.path.ends_with(ending));
        if !is_data || manifest::kind_of(&file.path).is_some() {
            continue;
        }
        match super::document(file) {
            // A list or a number has no place in `data`; OPA refuses it, here it is left out.
            Ok(document) if document.is_object() => {
                documents.push((file.path.clone(), document));
            }
            Ok(_) => {}
            Err(mut problem) => {
                problem.file = join(folder, &problem.file);
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() {
        Ok(documents)
    } else {
        Err(problems)
    }
}

fn of_folder(
    folder: &str,
    files: &[SourceFile],
    data: &[(String, serde_json::Value)],
    common: &[SourceFile],
) -> Vec<TestUnit> {
    let unit = |name: String, inside: Vec<&SourceFile>| TestUnit {
        name,
        files: inside
            .into_iter()
            .map(|file| SourceFile::new(join(folder, &file.path), file.text.clone()))
            .chain(common.iter().filter(|file| file.is_rego()).cloned())
            .collect(),
        data: data.to_vec(),
    };
    let rego: Vec<&SourceFile> = files.iter().filter(|file| file.is_rego()).collect();
    let declared: Vec<String> = manifest::read(files)
        .ok()
        .filter(|manifest| manifest.kind == GroupKind::Files)
        .map(|manifest| manifest.entries.into_iter().map(|it| it.name).collect())
        .unwrap_or_default();
    let with_file = declared
        .iter()
        .filter(|name| {
            rego.iter()
                .any(|file| !file.is_test() && file.stem() == *name)
        })
        .count();
    if with_file < 2 {
        return vec![unit(folder.to_owned(), rego)];
    }
    let shared =
        |file: &&SourceFile| !file.is_test() && !declared.iter().any(|it| it == file.stem());
    let mut units = Vec::new();
    for name in &declared {
        let mut inside: Vec<&SourceFile> = rego
            .iter()
            .copied()
            .filter(|file| file.stem() == name)
            .collect();
        if !inside.iter().any(|file| file.is_test()) {
            continue;
        }
        inside.extend(rego.iter().copied().filter(shared));
        units.push(unit(join(folder, name), inside));
    }
    let stray = |file: &&SourceFile| file.is_test() && !declared.iter().any(|it| it == file.stem());
    if rego.iter().any(stray) {
        units.push(unit(folder.to_owned(), rego));
    }
    units
}

fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() {
        path.to_owned()
    } else {
        format!("{folder}/{path}")
    }
}
