//! Functions that call themselves.
//!
//! Rego has no recursion, and OPA says so when it compiles; the engine finds out by running out of
//! stack. Only calls are followed: a variable may bear a rule's name without meaning the rule, and
//! rules that need themselves are noticed by the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::module::Module;
use crate::Problem;

type Name = Vec<String>;

/// One problem for each function on a circle of calls that is met first.
pub(super) fn check(modules: &[Arc<Module>], functions: &BTreeMap<Name, usize>) -> Vec<Problem> {
    let mut calls: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
    for module in modules {
        for call in &module.facts.calls {
            let caller: Name = module
                .facts
                .package
                .iter()
                .chain(&call.caller)
                .cloned()
                .collect();
            let targets = module.facts.call_targets(call);
            if let Some(target) = targets.into_iter().find(|it| functions.contains_key(it)) {
                calls.entry(caller).or_default().insert(target);
            }
        }
    }
    let mut walk = Walk {
        calls: &calls,
        done: BTreeSet::new(),
        circles: Vec::new(),
    };
    for function in functions.keys() {
        walk.from(function);
    }
    let circles = walk.circles;
    circles
        .iter()
        .filter_map(|circle| problem(modules, circle))
        .collect()
}

struct Walk<'a> {
    calls: &'a BTreeMap<Name, BTreeSet<Name>>,
    done: BTreeSet<Name>,
    circles: Vec<Vec<Name>>,
}

impl<'a> Walk<'a> {
    /// Depth first with a stack of its own: a long chain must not be what it looks for.
    fn from(&mut self, start: &'a Name) {
        let mut trail: Vec<(&'a Name, Vec<&'a Name>)> = vec![(start, self.next(start))];
        while let Some((name, rest)) = trail.last_mut() {
            let Some(next) = rest.pop() else {
                self.done.insert((*name).clone());
                trail.pop();
                continue;
            };
            if let Some(at) = trail.iter().position(|(known, _)| *known == next) {
                let circle = trail[at..].iter().map(|(name, _)| (*name).clone());
                self.circles.push(circle.chain([next.clone()]).collect());
            } else if !self.done.contains(next) {
                let after = self.next(next);
                trail.push((next, after));
            }
        }
    }

    fn next(&self, name: &Name) -> Vec<&'a Name> {
        match self.calls.get(name) {
            Some(called) if !self.done.contains(name) => called.iter().collect(),
            _ => Vec::new(),
        }
    }
}

fn problem(modules: &[Arc<Module>], circle: &[Name]) -> Option<Problem> {
    let first = circle.first()?;
    let names: Vec<&str> = circle
        .iter()
        .filter_map(|name| name.last())
        .map(String::as_str)
        .collect();
    let (module, rule) = modules.iter().find_map(|module| {
        let name = first.strip_prefix(module.facts.package.as_slice())?;
        let rule = module.facts.rules.iter().find(|rule| rule.name == name)?;
        Some((module, rule))
    })?;
    let message = format!("`{}` calls itself: {}", names.first()?, names.join(" → "));
    let remedy = "Rego has no recursion: use walk, graph.reachable or a comprehension";
    Some(Problem::of_file(&module.file.path, message, remedy).at(rule.line, 1))
}
