//! What a group of policies declares: which policies, and how strictly each holds.
//!
//! Two kinds exist. `scalr-policy.hcl` (or `terrane-policy.hcl`) names files, each evaluated alone
//! for `data.terraform.deny`; `policies.hcl` (or `policies.json`) names queries over all files
//! together.

mod hcl;
mod json;

use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::rego::source::SourceFile;

/// What a policy's denial does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enforcement {
    /// Stops the run; nobody can override it.
    HardMandatory,
    /// Stops the run until somebody with the permission overrides it.
    SoftMandatory,
    /// A policy set's `mandatory`: soft where the set is overridable, else hard.
    Mandatory,
    /// Is shown, and nothing more.
    Advisory,
}

impl Enforcement {
    /// The name in manifests and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HardMandatory => "hard-mandatory",
            Self::SoftMandatory => "soft-mandatory",
            Self::Mandatory => "mandatory",
            Self::Advisory => "advisory",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::HardMandatory,
            Self::SoftMandatory,
            Self::Mandatory,
            Self::Advisory,
        ]
        .into_iter()
        .find(|level| level.as_str() == name)
    }
}

/// Which of the two kinds of group it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Files, each evaluated alone.
    Files,
    /// Queries over all files together.
    Queries,
}

/// One declared policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) enabled: bool,
    pub(crate) enforcement: Enforcement,
    pub(crate) description: String,
    /// Of [`GroupKind::Queries`] only.
    pub(crate) query: Option<String>,
    /// What is wrong with the declaration itself.
    pub(crate) problems: Vec<Problem>,
}

/// A group's manifest.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) kind: GroupKind,
    /// The file it was read from.
    pub(crate) file: String,
    pub(crate) entries: Vec<Entry>,
    pub(crate) problems: Vec<Problem>,
}

/// The names a manifest may have, in the order they are looked for.
const NAMES: &[(&str, GroupKind)] = &[
    ("terrane-policy.hcl", GroupKind::Files),
    ("scalr-policy.hcl", GroupKind::Files),
    ("policies.hcl", GroupKind::Queries),
    ("policies.json", GroupKind::Queries),
];

/// The manifest's kind, when the file is one.
pub(crate) fn kind_of(path: &str) -> Option<GroupKind> {
    NAMES
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, kind)| *kind)
}

/// Finds and reads the manifest at the top of a group.
pub(crate) fn read(files: &[SourceFile]) -> Result<Manifest, Problem> {
    for (name, kind) in NAMES {
        let Some(file) = files.iter().find(|file| file.path == *name) else {
            continue;
        };
        let mut manifest = if name.ends_with(".json") {
            json::read(file)?
        } else {
            hcl::read(file, *kind)?
        };
        mark_doubles(&mut manifest);
        return Ok(manifest);
    }
    Err(Problem::of_file(
        "terrane-policy.hcl",
        "the group has no manifest",
        "add terrane-policy.hcl (scalr-policy.hcl) or policies.hcl with a `policy \"NAME\"` block \
         for each policy",
    ))
}

/// Two policies of one name can't be told apart in results.
fn mark_doubles(manifest: &mut Manifest) {
    let names: Vec<String> = manifest.entries.iter().map(|it| it.name.clone()).collect();
    for (at, entry) in manifest.entries.iter_mut().enumerate() {
        if names[..at].contains(&entry.name) {
            entry.problems.push(Problem::of_file(
                &manifest.file,
                format!("the policy `{}` is declared twice", entry.name),
                "keep one of the two blocks",
            ));
        }
    }
}

/// The raw fields of a `policy` block, before they are judged.
struct Fields {
    name: String,
    enabled: bool,
    enforcement: Option<String>,
    description: String,
    query: Option<String>,
    problems: Vec<Problem>,
}

impl Fields {
    fn new(name: String) -> Self {
        Self {
            name,
            enabled: true,
            enforcement: None,
            description: String::new(),
            query: None,
            problems: Vec::new(),
        }
    }

    /// Judges the fields. What can't be understood counts as the strictest it may have meant.
    fn entry(mut self, kind: GroupKind, file: &str, place: Option<(u32, u32)>) -> Entry {
        let located = |message: String, remedy: &str| {
            let problem = Problem::of_file(file, message, remedy);
            match place {
                Some((line, column)) => problem.at(line, column),
                None => problem,
            }
        };
        let levels = "use hard-mandatory, soft-mandatory or advisory";
        let enforcement = match self
            .enforcement
            .as_deref()
            .map(|it| (it, Enforcement::parse(it)))
        {
            Some((_, Some(Enforcement::Mandatory))) if kind == GroupKind::Files => {
                self.problems.push(
                    located(
                        format!("the policy `{}` is `mandatory`", self.name),
                        "say hard-mandatory or soft-mandatory; it counts as hard-mandatory",
                    )
                    .warning(),
                );
                Enforcement::HardMandatory
            }
            Some((_, Some(level))) => level,
            Some((other, None)) => {
                self.problems.push(located(
                    format!("there is no enforcement level `{other}`"),
                    levels,
                ));
                Enforcement::HardMandatory
            }
            None if kind == GroupKind::Files => {
                self.problems.push(located(
                    format!("the policy `{}` has no enforcement_level", self.name),
                    levels,
                ));
                Enforcement::HardMandatory
            }
            None => Enforcement::Advisory,
        };
        if kind == GroupKind::Queries && self.query.is_none() {
            self.problems.push(located(
                format!("the policy `{}` has no query", self.name),
                "add query = \"data.terraform.policies.NAME.deny\"",
            ));
        }
        Entry {
            name: self.name,
            enabled: self.enabled,
            enforcement,
            description: self.description,
            query: self.query,
            problems: self.problems,
        }
    }
}
