//! Modules that are evaluated together: which ones a policy needs, and an engine that holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regorus::Engine;

use super::dialect::Dialect;
use super::facts::{Facts, Kind};
use super::fault;
use super::module::{self, Module};
use super::path;
use super::recursion;
use super::source::SourceFile;
use crate::Problem;
use crate::builtins::{self, Calls, Circumstances, Standing};
use crate::input;

/// A file that may be needed: parsed, or broken with the package it seems to belong to.
#[derive(Debug, Clone)]
pub(crate) enum Loaded {
    Sound(Arc<Module>),
    Broken {
        package: Vec<String>,
        problem: Problem,
    },
}

impl Loaded {
    pub(crate) fn of(file: &SourceFile, dialect: Dialect) -> Self {
        match module::parse(file, dialect) {
            Ok(module) => Self::Sound(Arc::new(module)),
            Err(problem) => Self::broken(file, problem),
        }
    }

    /// A file that isn't given to the parser.
    pub(crate) fn broken(file: &SourceFile, problem: Problem) -> Self {
        Self::Broken {
            package: guessed_package(&file.text),
            problem,
        }
    }

    fn package(&self) -> &[String] {
        match self {
            Self::Sound(module) => &module.facts.package,
            Self::Broken { package, .. } => package,
        }
    }
}

/// The package that a file which doesn't parse names.
fn guessed_package(text: &str) -> Vec<String> {
    text.lines()
        .find_map(|line| line.trim_start().strip_prefix("package "))
        .map(|name| name.split('#').next().unwrap_or_default().trim())
        .map(|name| name.split('.').map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Modules that belong together, and the problems of those that couldn't be had.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bundle {
    pub(crate) modules: Vec<Arc<Module>>,
    pub(crate) problems: Vec<Problem>,
}

impl Bundle {
    /// What the rule at a path below `data` needs.
    pub(crate) fn of_query(rule: &[String], candidates: &[Loaded]) -> Self {
        let holds = |package: &[String]| rule.starts_with(package);
        let (roots, rest): (Vec<Loaded>, Vec<Loaded>) = candidates
            .iter()
            .cloned()
            .partition(|candidate| holds(candidate.package()));
        Self::closure(roots, &rest)
    }

    /// `roots` and whatever of `candidates` they read, directly or through others.
    pub(crate) fn closure(roots: Vec<Loaded>, candidates: &[Loaded]) -> Self {
        let mut bundle = Self::default();
        let mut rest: Vec<&Loaded> = candidates.iter().collect();
        let mut next = roots;
        while let Some(loaded) = next.pop() {
            match loaded {
                Loaded::Broken { problem, .. } => bundle.problems.push(problem),
                Loaded::Sound(module) => {
                    rest.retain(|candidate| {
                        let wanted = wants(&module.facts, candidate.package());
                        if wanted {
                            next.push((*candidate).clone());
                        }
                        !wanted
                    });
                    bundle.modules.push(module);
                }
            }
        }
        bundle.modules.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        bundle.problems.sort_by(|a, b| a.file.cmp(&b.file));
        bundle
    }

    /// Whether anything in it reads `data` at or below `parts`.
    pub(crate) fn reads(&self, parts: &[&str]) -> bool {
        let parts: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
        self.modules
            .iter()
            .any(|module| module.facts.data.iter().any(|read| overlap(read, &parts)))
    }

    /// Which parts of the plan anything in it reads: a large plan has others, which then need not be
    /// made into values. `None` when that can't be told.
    pub(crate) fn plan_parts(&self) -> Option<BTreeSet<String>> {
        let mut parts = BTreeSet::new();
        for read in self.modules.iter().flat_map(|module| &module.facts.input) {
            match read.as_slice() {
                [] => return None,
                [root, below @ ..] if input::is_plan(root) => {
                    parts.insert(below.first()?.clone());
                }
                [..] => {}
            }
        }
        Some(parts)
    }

    /// Number of arguments of each function, by its path below `data`.
    fn functions(&self) -> BTreeMap<Vec<String>, usize> {
        let mut functions = BTreeMap::new();
        for module in &self.modules {
            for rule in &module.facts.rules {
                if let Some(arguments) = rule.arguments {
                    let path = module.facts.package.iter().chain(&rule.name).cloned();
                    functions.insert(path.collect(), arguments);
                }
            }
        }
        functions
    }

    /// Calls of what doesn't exist, or can't be had here.
    pub(crate) fn check_calls(&self) -> Vec<Problem> {
        let functions = self.functions();
        let mut problems = Vec::new();
        for module in &self.modules {
            for call in &module.facts.calls {
                let name = call.path.join(".");
                let at = |message: String, remedy: &str| {
                    Problem::of_file(&module.file.path, message, remedy).at(call.line, call.column)
                };
                let declared = module
                    .facts
                    .call_targets(call)
                    .iter()
                    .find_map(|target| functions.get(target).copied());
                match declared {
                    // One more argument receives the result.
                    Some(wanted) if call.arguments == wanted || call.arguments == wanted + 1 => {}
                    Some(wanted) => problems.push(at(
                        format!("`{name}` takes {wanted} arguments, not {}", call.arguments),
                        "call the function with as many arguments as it declares",
                    )),
                    None => match builtins::standing(&name) {
                        Standing::Supported => {}
                        Standing::Refused(why) => {
                            problems.push(at(builtins::refused_message(&name, why), why.remedy()));
                        }
                        Standing::Unknown => problems.push(at(
                            format!("there is no function `{name}`"),
                            "define it, import the package that has it, or mend the name",
                        )),
                    },
                }
            }
        }
        problems
    }

    /// Functions that call themselves, directly or through others.
    pub(crate) fn check_recursion(&self) -> Vec<Problem> {
        recursion::check(&self.modules, &self.functions())
    }

    /// The rules at a path below `data`, by kind.
    pub(crate) fn rules_at(&self, parts: &[String]) -> Vec<Kind> {
        let mut kinds = Vec::new();
        for module in &self.modules {
            let Some(name) = parts.strip_prefix(module.facts.package.as_slice()) else {
                continue;
            };
            kinds.extend(
                module
                    .facts
                    .rules
                    .iter()
                    .filter(|rule| rule.name == name)
                    .map(|rule| rule.kind),
            );
        }
        kinds
    }

    /// An engine with these modules and our builtins.
    pub(crate) fn engine(&self, around: Circumstances) -> Result<(Engine, Calls), Problem> {
        let mut engine = module::empty_engine();
        engine.set_strict_builtin_errors(false);
        engine.set_gather_prints(true);
        let calls =
            builtins::install(&mut engine, around).map_err(|error| fault::problem("", &error))?;
        for module in &self.modules {
            engine.set_rego_v0(module.v0);
            engine
                .add_policy(module.file.path.clone(), module.file.text.clone())
                .map_err(|error| fault::problem(&module.file.path, &error))?;
        }
        Ok((engine, calls))
    }

    /// Lets the engine analyse everything that `rule` needs, without evaluating it.
    pub(crate) fn analyse(&self, rule: &[String]) -> Option<Problem> {
        let (mut engine, _) = match self.engine(Circumstances::default()) {
            Ok(made) => made,
            Err(problem) => return Some(problem),
        };
        let path = path::data(rule);
        let first = self.modules.first().map_or("", |it| it.file.path.as_str());
        engine
            .compile_with_entrypoint(&path.as_str().into())
            .err()
            .map(|error| fault::problem(first, &error))
    }
}

/// Whether a module with these facts needs a module of that package: it reads at, above or below
/// it, or belongs to the same.
fn wants(facts: &Facts, package: &[String]) -> bool {
    facts.package == package || facts.data.iter().any(|read| overlap(read, package))
}

fn overlap(one: &[String], other: &[String]) -> bool {
    let common = one.len().min(other.len());
    one[..common] == other[..common]
}
