//! Small changes to test sources, so that they mean to the engine what they mean to OPA.
//!
//! * `with NAME as …`, where NAME is a rule of the same package, is `with data.PACKAGE.NAME as …`:
//!   the engine knows only the long form.
//! * Two tests of one name are two tests: the engine would take them for two bodies of one rule,
//!   and a passing one would hide a failing one.
//!
//! Both are insertions within a line, so that line numbers stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::rego::dialect::Dialect;
use crate::rego::facts::Kind;
use crate::rego::module::{self, Module};
use crate::rego::path;

/// The modules to load, and the tests in them.
pub(super) struct Adapted {
    pub(super) modules: Vec<Arc<Module>>,
    pub(super) tests: Vec<Test>,
}

/// A test rule.
pub(super) struct Test {
    /// As the author knows it; the second of a name ends in `#01`, as OPA counts.
    pub(super) name: String,
    pub(super) rule: Vec<String>,
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) skipped: bool,
}

pub(super) fn modules(modules: &[Arc<Module>]) -> Adapted {
    let values = value_rules(modules);
    let mut seen: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut adapted = Adapted {
        modules: Vec::new(),
        tests: Vec::new(),
    };
    for module in modules {
        let mut insertions = long_targets(module, &values);
        for rule in &module.facts.rules {
            let Some(test) = test_name(&rule.name) else {
                continue;
            };
            if matches!(rule.kind, Kind::Function | Kind::Default) {
                continue;
            }
            let mut whole: Vec<String> = module.facts.package.clone();
            whole.extend(rule.name.iter().cloned());
            // Bodies of an object of cases belong together.
            let count = match rule.name.len() {
                1 if rule.kind == Kind::Value && !rule.keyed => {
                    let count = seen.entry(whole.clone()).or_default();
                    *count += 1;
                    *count - 1
                }
                _ if adapted.tests.iter().any(|known| known.rule == whole) => continue,
                _ => 0,
            };
            let mut name = path::data(&whole);
            if count > 0 {
                name.push_str(&format!("#{count:02}"));
                let suffix = format!("__{count:02}");
                insertions.push((rule.name_end, suffix.clone()));
                if let Some(last) = whole.last_mut() {
                    last.push_str(&suffix);
                }
            }
            adapted.tests.push(Test {
                name,
                rule: whole,
                file: module.file.path.clone(),
                line: rule.line,
                skipped: test.starts_with("todo_"),
            });
        }
        adapted.modules.push(changed(module, insertions));
    }
    adapted
}

fn test_name(name: &[String]) -> Option<&str> {
    let first = name.first()?;
    (first.starts_with("test_") || first.starts_with("todo_test_")).then_some(first)
}

/// The rules that aren't functions, by their path below `data`.
fn value_rules(modules: &[Arc<Module>]) -> BTreeSet<Vec<String>> {
    let mut rules = BTreeSet::new();
    for module in modules {
        for rule in &module.facts.rules {
            if let (Some(first), true) = (rule.name.first(), rule.kind != Kind::Function) {
                let mut whole = module.facts.package.clone();
                whole.push(first.clone());
                rules.insert(whole);
            }
        }
    }
    rules
}

/// Where a target needs its package in front.
fn long_targets(module: &Module, values: &BTreeSet<Vec<String>>) -> Vec<(usize, String)> {
    let mut insertions = Vec::new();
    for with in &module.facts.withs {
        let root = &with.path[0];
        if root == "data" || root == "input" || module.facts.imports.contains_key(root) {
            continue;
        }
        let mut whole = module.facts.package.clone();
        whole.push(root.clone());
        if values.contains(&whole) {
            insertions.push((
                with.start,
                format!("{}.", path::data(&module.facts.package)),
            ));
        }
    }
    insertions
}

fn changed(module: &Arc<Module>, mut insertions: Vec<(usize, String)>) -> Arc<Module> {
    if insertions.is_empty() {
        return Arc::clone(module);
    }
    insertions.sort_by_key(|insertion| std::cmp::Reverse(insertion.0));
    let mut file = module.file.clone();
    for (at, text) in insertions {
        if file.text.is_char_boundary(at) {
            file.text.insert_str(at, &text);
        }
    }
    let dialect = if module.v0 { Dialect::V0 } else { Dialect::V1 };
    // What parsed before parses still; if not, the source as it was says why at its evaluation.
    module::parse(&file, dialect).map_or_else(|_| Arc::clone(module), Arc::new)
}
