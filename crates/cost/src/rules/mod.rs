//! What a resource of each type costs: rules, as data.
//!
//! The files under `rules/` say, per resource type, which components it has, how much of each, and at which
//! price. The language (described in docs/cost.md) knows attributes, usage, references between resources, and
//! prices of the book; macros carry what several types share (instances, disks, databases). Writing two hundred
//! mappers in Rust was decided against: a rule must be readable by whoever knows the cloud's price page.

mod ast;
mod lexer;
mod parser;
mod statements;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

pub(crate) use ast::{Binary, Block, Component, Expression, Macro, Piece, Statement, Tier};

/// The embedded rule files, by name.
const FILES: [(&str, &str); 10] = [
    ("aws-compute", include_str!("../../rules/aws-compute.rules")),
    ("aws-data", include_str!("../../rules/aws-data.rules")),
    ("aws-network", include_str!("../../rules/aws-network.rules")),
    (
        "aws-services",
        include_str!("../../rules/aws-services.rules"),
    ),
    (
        "azure-compute",
        include_str!("../../rules/azure-compute.rules"),
    ),
    ("azure-data", include_str!("../../rules/azure-data.rules")),
    (
        "azure-network",
        include_str!("../../rules/azure-network.rules"),
    ),
    (
        "azure-services",
        include_str!("../../rules/azure-services.rules"),
    ),
    ("google", include_str!("../../rules/google.rules")),
    (
        "google-services",
        include_str!("../../rules/google-services.rules"),
    ),
];

const FREE: &str = include_str!("../../rules/free.txt");

/// A rule that can't be understood.
#[derive(Debug, thiserror::Error)]
#[error("rules {file}, line {line}: {reason}")]
pub struct RuleError {
    /// Name of the file.
    pub file: String,
    /// Counted from one.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// Rules by resource type.
#[derive(Debug, Default)]
pub struct Rules {
    resources: BTreeMap<String, usize>,
    bodies: Vec<Block>,
    macros: BTreeMap<String, Macro>,
    free: BTreeSet<String>,
    free_prefixes: Vec<String>,
}

impl Rules {
    /// The rules that come with the binary.
    ///
    /// # Errors
    /// Only if they were damaged at build time; a test reads them all.
    pub fn embedded() -> Result<Self, RuleError> {
        let mut rules = Self::default();
        for (name, text) in FILES {
            rules.add(name, text)?;
        }
        rules.add_free(FREE);
        Ok(rules)
    }

    /// Identifies the rules that come with the binary, with the program that reads them.
    #[must_use]
    pub fn embedded_digest() -> String {
        let mut digest = Sha256::new_with_prefix(env!("CARGO_PKG_VERSION"));
        for (_, text) in FILES {
            digest.update(text);
        }
        digest.update(FREE);
        hex::encode(digest.finalize())
    }

    /// Adds the rules of a file.
    ///
    /// # Errors
    /// The first line that can't be understood.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), RuleError> {
        for item in statements::items(file, text)? {
            match item {
                statements::Item::Resource(types, body) => {
                    self.bodies.push(body);
                    for name in types {
                        self.resources.insert(name, self.bodies.len() - 1);
                    }
                }
                statements::Item::Macro(name, definition) => {
                    self.macros.insert(name, definition);
                }
            }
        }
        Ok(())
    }

    /// Adds types that cost nothing by themselves: one a line, `prefix_*` for all of a provider's.
    pub fn add_free(&mut self, text: &str) {
        for name in text.lines().map(str::trim) {
            if name.is_empty() || name.starts_with('#') {
                continue;
            }
            match name.strip_suffix('*') {
                Some(prefix) => self.free_prefixes.push(prefix.to_owned()),
                None => {
                    self.free.insert(name.to_owned());
                }
            }
        }
    }

    pub(crate) fn body(&self, resource_type: &str) -> Option<&Block> {
        self.resources
            .get(resource_type)
            .and_then(|index| self.bodies.get(*index))
    }

    pub(crate) fn get_macro(&self, name: &str) -> Option<&Macro> {
        self.macros.get(name)
    }

    /// Whether a type is known to cost nothing by itself.
    #[must_use]
    pub fn is_free(&self, resource_type: &str) -> bool {
        self.free.contains(resource_type)
            || self
                .free_prefixes
                .iter()
                .any(|prefix| resource_type.starts_with(prefix.as_str()))
    }

    /// The types that have rules, in order.
    pub fn priced_types(&self) -> impl Iterator<Item = &str> {
        self.resources.keys().map(String::as_str)
    }

    /// The types that are known to cost nothing by themselves, in order.
    pub fn free_types(&self) -> impl Iterator<Item = &str> {
        self.free.iter().map(String::as_str)
    }
}
