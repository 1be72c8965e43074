//! A group of policies, compiled: each policy with everything that it needs, or with what is wrong.
//!
//! One broken policy is that policy's error, never the group's: the others go on protecting.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::Problem;
use crate::manifest::{self, Enforcement, Entry, GroupKind, Manifest};
use crate::rego::bundle::{Bundle, Loaded};
use crate::rego::dialect::Dialect;
use crate::rego::facts::Kind;
use crate::rego::path;
use crate::rego::source::SourceFile;

/// Raised when the same sources and the same input may give another verdict than before: with the
/// engine's version, or with ours.
const ENGINE: &str = "regorus-0.14.1/1";

/// Everything that a group is compiled from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupSource {
    /// The files of the group's folder and below, with paths relative to it.
    pub files: Vec<SourceFile>,
    /// The files of the common-functions folder.
    #[serde(default)]
    pub common: Vec<SourceFile>,
    #[serde(default)]
    pub dialect: Dialect,
    /// Parameters of a policy set: `data.parameters`.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// The account's data documents by name: `data.account`.
    #[serde(default)]
    pub account: Map<String, Value>,
}

/// A compiled group.
#[derive(Debug, Clone)]
pub struct Group {
    pub kind: GroupKind,
    /// In the manifest's order, disabled ones included.
    pub policies: Vec<Policy>,
    /// What is wrong with the group rather than with one policy.
    pub problems: Vec<Problem>,
}

/// One policy of a group.
#[derive(Debug, Clone)]
pub struct Policy {
    pub name: String,
    pub enabled: bool,
    pub enforcement: Enforcement,
    pub description: String,
    /// The rule whose value is the denials: `data.terraform.deny`.
    pub query: String,
    /// What is wrong with it; with an error among them it is never evaluated.
    pub problems: Vec<Problem>,
    /// SHA-256, in hexadecimal, of everything the verdict depends on besides the input: sources,
    /// dialects, query, the data it reads, and the engine. The name and the enforcement level are
    /// not part of it: they change what a verdict means, not what it is.
    pub digest: String,
    pub(crate) rule: Vec<String>,
    pub(crate) bundle: Bundle,
    /// What is put below `data`.
    pub(crate) data: Map<String, Value>,
    pub(crate) kind: GroupKind,
}

impl Policy {
    /// Whether it can be evaluated.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.problems.iter().any(Problem::is_error)
    }

    /// The files its verdict depends on.
    #[must_use]
    pub fn files(&self) -> Vec<&str> {
        let modules = self.bundle.modules.iter();
        modules.map(|module| module.file.path.as_str()).collect()
    }
}

/// Told what is begun, so that whoever watches knows what a process died of.
pub(crate) trait Watch {
    /// An error refuses the item: it is known to bring the process down.
    fn begin(&mut self, item: &str) -> Result<(), String>;
}

/// For compiling where nobody watches.
struct Unwatched;

impl Watch for Unwatched {
    fn begin(&mut self, _item: &str) -> Result<(), String> {
        Ok(())
    }
}

impl Group {
    /// Reads the manifest, parses what it names, and checks each policy.
    ///
    /// Parsing and analysing can be made expensive or deadly by a hostile file: do it in a
    /// [`crate::worker`] with whatever isn't your own.
    ///
    /// # Errors
    /// When there is no manifest, or one that can't be read.
    pub fn compile(source: &GroupSource) -> Result<Self, Problem> {
        Self::compile_watched(source, &mut Unwatched)
    }

    pub(crate) fn compile_watched(
        source: &GroupSource,
        watch: &mut impl Watch,
    ) -> Result<Self, Problem> {
        Self::compile_some(source, None, watch)
    }

    /// Of the policies, those of `only`: the others cost nothing then.
    pub(crate) fn compile_some(
        source: &GroupSource,
        only: Option<&BTreeSet<String>>,
        watch: &mut impl Watch,
    ) -> Result<Self, Problem> {
        let mut manifest = manifest::read(&source.files)?;
        let lone = manifest.entries.len() == 1;
        if let Some(only) = only {
            manifest.entries.retain(|entry| only.contains(&entry.name));
        }
        let mut shelf = Shelf {
            source,
            watch,
            lone,
        };
        let common = shelf.load(source.common.iter().filter(|file| is_policy(file)));
        let mut problems = manifest.problems.clone();
        let policies = match manifest.kind {
            GroupKind::Files => shelf.files(&manifest, &common),
            GroupKind::Queries => shelf.queries(&manifest, &common),
        };
        if policies.is_empty() && only.is_none() {
            problems.push(
                Problem::of_file(
                    &manifest.file,
                    "the group declares no policy",
                    "add a `policy \"NAME\"` block for each policy",
                )
                .warning(),
            );
        }
        Ok(Self {
            kind: manifest.kind,
            policies,
            problems,
        })
    }
}

fn is_policy(file: &SourceFile) -> bool {
    file.is_rego() && !file.is_test()
}

/// The files at hand.
struct Shelf<'a, W> {
    source: &'a GroupSource,
    watch: &'a mut W,
    /// Whether the manifest declares one policy only.
    lone: bool,
}

impl<W: Watch> Shelf<'_, W> {
    fn load<'f>(&mut self, files: impl Iterator<Item = &'f SourceFile>) -> Vec<Loaded> {
        files.map(|file| self.load_one(file)).collect()
    }

    fn load_one(&mut self, file: &SourceFile) -> Loaded {
        match self.watch.begin(&format!("file {}", file.path)) {
            Ok(()) => Loaded::of(file, self.source.dialect),
            Err(reason) => Loaded::broken(file, stopped(&file.path, &reason)),
        }
    }

    /// Each declared policy is a file, evaluated alone beside the common functions.
    fn files(&mut self, manifest: &Manifest, common: &[Loaded]) -> Vec<Policy> {
        let files = &self.source.files;
        let top: Vec<&SourceFile> = files
            .iter()
            .filter(|file| file.folder().is_empty() && is_policy(file))
            .collect();
        let mut policies = Vec::new();
        for entry in &manifest.entries {
            let mut problems = Vec::new();
            let named = top.iter().find(|file| file.stem() == entry.name);
            let file = match (named, &top[..]) {
                (Some(file), _) => Some(*file),
                (None, [lone]) if self.lone => {
                    problems.push(
                        Problem::of_file(
                            &lone.path,
                            format!("the policy `{}` is in a file of another name", entry.name),
                            format!("rename it to {}.rego", entry.name),
                        )
                        .warning(),
                    );
                    Some(*lone)
                }
                _ => {
                    problems.push(Problem::of_file(
                        &manifest.file,
                        format!("the policy `{0}` has no file {0}.rego", entry.name),
                        "add the file, or take the block away",
                    ));
                    None
                }
            };
            let roots = file.map(|file| self.load_one(file)).into_iter().collect();
            let bundle = Bundle::closure(roots, common);
            let rule = vec!["terraform".to_owned(), "deny".to_owned()];
            policies.push(self.policy(entry, problems, rule, bundle, manifest.kind));
        }
        policies
    }

    /// Each declared policy is a rule of the modules that all files make together.
    fn queries(&mut self, manifest: &Manifest, common: &[Loaded]) -> Vec<Policy> {
        let files: Vec<SourceFile> = self.source.files.clone();
        let mut modules = self.load(files.iter().filter(|file| is_policy(file)));
        modules.extend_from_slice(common);
        let mut policies = Vec::new();
        for entry in &manifest.entries {
            let mut problems = Vec::new();
            let rule = match entry.query.as_deref().map(parse_query) {
                Some(Some(rule)) => rule,
                Some(None) => {
                    problems.push(Problem::of_file(
                        &manifest.file,
                        format!("the query of `{}` names no rule", entry.name),
                        "write it as data.terraform.policies.NAME.deny",
                    ));
                    Vec::new()
                }
                None => Vec::new(),
            };
            // A query stands for a module that reads what it names.
            let bundle = Bundle::of_query(&rule, &modules);
            policies.push(self.policy(entry, problems, rule, bundle, manifest.kind));
        }
        policies
    }

    fn policy(
        &mut self,
        entry: &Entry,
        mut problems: Vec<Problem>,
        rule: Vec<String>,
        bundle: Bundle,
        kind: GroupKind,
    ) -> Policy {
        problems.extend(entry.problems.iter().cloned());
        problems.extend(bundle.problems.iter().cloned());
        let data = self.data(&bundle);
        let query = path::data(&rule);
        if !problems.iter().any(Problem::is_error) {
            match self.watch.begin(&format!("policy {}", entry.name)) {
                Ok(()) => problems.extend(faults(&bundle, &rule, &query, kind)),
                Err(reason) => problems.push(stopped(&entry.name, &reason)),
            }
        }
        Policy {
            name: entry.name.clone(),
            enabled: entry.enabled,
            enforcement: entry.enforcement,
            description: entry.description.clone(),
            digest: digest(&bundle, &query, &data),
            query,
            problems,
            rule,
            bundle,
            data,
            kind,
        }
    }

    /// The data that the modules read, and no more: a change of anything else is no change.
    fn data(&self, bundle: &Bundle) -> Map<String, Value> {
        let mut data = Map::new();
        let mut account = Map::new();
        for (name, document) in &self.source.account {
            if bundle.reads(&["account", name]) {
                account.insert(name.clone(), document.clone());
            }
        }
        if !account.is_empty() {
            data.insert("account".to_owned(), account.into());
        }
        if bundle.reads(&["parameters"]) {
            data.insert(
                "parameters".to_owned(),
                self.source.parameters.clone().into(),
            );
        }
        data
    }
}

fn stopped(file: &str, reason: &str) -> Problem {
    Problem::of_file(file, reason, "make it smaller or simpler")
}

/// What the modules of a policy have wrong together.
fn faults(bundle: &Bundle, rule: &[String], query: &str, kind: GroupKind) -> Vec<Problem> {
    let mut faults: Vec<Problem> = missing_rule(bundle, rule, query, kind)
        .into_iter()
        .collect();
    faults.extend(bundle.check_calls());
    faults.extend(bundle.check_recursion());
    // The engine would stumble over the same.
    if faults.is_empty() {
        faults.extend(bundle.analyse(rule));
    }
    faults
}

/// A policy without the rule that is asked for would pass everything.
fn missing_rule(bundle: &Bundle, rule: &[String], query: &str, kind: GroupKind) -> Option<Problem> {
    let file = bundle
        .modules
        .first()
        .map_or("", |it| it.file.path.as_str());
    let kinds = bundle.rules_at(rule);
    if kinds.is_empty() {
        let remedy = match kind {
            GroupKind::Files => {
                "write `package terraform` and the rule `deny contains message if { … }`"
            }
            GroupKind::Queries => "mend the query, or add the rule",
        };
        return Some(Problem::of_file(
            file,
            format!("there is no rule {query}, so the policy would deny nothing"),
            remedy,
        ));
    }
    kinds.contains(&Kind::Function).then(|| {
        Problem::of_file(
            file,
            format!("{query} is a function"),
            "make it a rule: `deny contains message if { … }`",
        )
    })
}

/// `data.a.b["c"]` as its parts below `data`.
fn parse_query(query: &str) -> Option<Vec<String>> {
    let mut rest = query.trim().strip_prefix("data")?;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            let name = &tail[..end];
            let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            if name.is_empty() || !name.chars().all(fits) {
                return None;
            }
            parts.push(name.to_owned());
            rest = &tail[end..];
        } else {
            let tail = rest.strip_prefix("[\"")?;
            let (name, tail) = tail.split_once("\"]")?;
            parts.push(name.to_owned());
            rest = tail;
        }
    }
    (parts.len() > 1).then_some(parts)
}

fn digest(bundle: &Bundle, query: &str, data: &Map<String, Value>) -> String {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(ENGINE.as_bytes());
    field(query.as_bytes());
    for module in &bundle.modules {
        field(&[u8::from(module.v0)]);
        field(module.file.text.as_bytes());
    }
    // Ordered, so that equal documents are equal bytes.
    let data: BTreeMap<&String, &Value> = data.iter().collect();
    field(serde_json::to_string(&data).unwrap_or_default().as_bytes());
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests;
