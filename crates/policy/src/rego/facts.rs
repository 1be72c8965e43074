//! What a module declares and what it uses, read from its syntax tree.
//!
//! The engine itself notices a missing function only when the call is reached, and knows nothing of
//! which module needs which; both must be known before a policy is trusted.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "only names and calls are facts"
)]

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Rule, RuleHead, Span, WithModifier};

use super::path;
use super::walk::{self, Visitor};

/// Everything about one module that checks and closures need.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// `["terraform"]` for `package terraform`.
    pub(crate) package: Vec<String>,
    /// By the name that the module knows them by: the whole path, `data` or `input` included.
    pub(crate) imports: BTreeMap<String, Vec<String>>,
    pub(crate) rules: Vec<Declared>,
    pub(crate) calls: Vec<Call>,
    /// Paths below `data` that are read; the empty path means all of it.
    pub(crate) data: BTreeSet<Vec<String>>,
    /// The same below `input`.
    pub(crate) input: BTreeSet<Vec<String>>,
    pub(crate) withs: Vec<With>,
}

/// A rule or function.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    /// Its name below the package; `a.b` has two parts.
    pub(crate) name: Vec<String>,
    /// Number of arguments of a function.
    pub(crate) arguments: Option<usize>,
    pub(crate) kind: Kind,
    pub(crate) line: u32,
    /// Whether its name goes on with a variable: `name[key]`.
    pub(crate) keyed: bool,
    /// Byte offset behind the first part of its name.
    pub(crate) name_end: usize,
}

/// What a rule makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A set: `deny contains x`, or `deny[x]` in v0.
    Set,
    /// A single value, or an object.
    Value,
    Function,
    Default,
}

/// A call of a function by name.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// As written: `["net", "cidr_contains"]`.
    pub(crate) path: Vec<String>,
    pub(crate) arguments: usize,
    /// The rule that calls, by its name below the package.
    pub(crate) caller: Vec<String>,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// The target of a `with`.
#[derive(Debug, Clone)]
pub(crate) struct With {
    pub(crate) path: Vec<String>,
    /// Byte offset of its first character.
    pub(crate) start: usize,
}

impl Facts {
    pub(crate) fn of(module: &Module) -> Self {
        let mut facts = Self {
            package: path::of(&module.package.refr).parts,
            rules: module.policy.iter().map(|rule| declared(rule)).collect(),
            ..Self::default()
        };
        for import in &module.imports {
            let target = path::of(&import.refr).parts;
            let alias = import
                .r#as
                .as_ref()
                .map(|name| name.text().to_owned())
                .or_else(|| target.last().cloned());
            if target.first().is_some_and(|root| root == "data") {
                facts.data.insert(target[1..].to_vec());
            }
            if let Some(alias) = alias {
                facts.imports.insert(alias, target);
            }
        }
        for (at, rule) in module.policy.iter().enumerate() {
            let before = facts.calls.len();
            walk::rule(rule, &mut facts);
            for call in &mut facts.calls[before..] {
                call.caller.clone_from(&facts.rules[at].name);
            }
        }
        facts
    }

    /// The whole path of a name as the module sees it: imports are followed.
    fn resolved(&self, parts: &[String]) -> Option<Vec<String>> {
        let root = parts.first()?;
        let import = self.imports.get(root)?;
        Some(import.iter().chain(&parts[1..]).cloned().collect())
    }

    /// Where below `data` a called name may be a function; empty when it can only be a builtin.
    pub(crate) fn call_targets(&self, call: &Call) -> Vec<Vec<String>> {
        let mut targets = Vec::new();
        if let Some(path) = self.resolved(&call.path)
            && path[0] == "data"
        {
            targets.push(path[1..].to_vec());
        }
        if call.path[0] == "data" {
            targets.push(call.path[1..].to_vec());
        } else {
            targets.push(self.package.iter().chain(&call.path).cloned().collect());
        }
        targets
    }

    fn read(&mut self, parts: &[String]) {
        let whole = self.resolved(parts).unwrap_or_else(|| parts.to_vec());
        match whole.split_first() {
            Some((root, below)) if root == "data" => {
                self.data.insert(below.to_vec());
            }
            Some((root, below)) if root == "input" => {
                self.input.insert(below.to_vec());
            }
            Some(_) | None => {}
        }
    }

    fn called(&mut self, name: &Expr, arguments: usize, span: &Span) {
        let parts = path::of(name).parts;
        if parts.is_empty() {
            return;
        }
        let call = Call {
            path: parts.clone(),
            arguments,
            caller: Vec::new(),
            line: span.line,
            column: span.col,
        };
        self.read(&parts);
        self.calls.push(call);
    }
}

impl Visitor for Facts {
    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Call {
                span, fcn, params, ..
            } => self.called(fcn, params.len(), span),
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                let parts = path::of(expression).parts;
                self.read(&parts);
            }
            _ => {}
        }
    }

    fn with(&mut self, modifier: &WithModifier) {
        let parts = path::of(&modifier.refr).parts;
        if let (Some(root), false) = (path::root(&modifier.refr), parts.is_empty()) {
            self.withs.push(With {
                path: parts,
                start: usize::try_from(root.start).unwrap_or(usize::MAX),
            });
        }
    }
}

fn declared(rule: &Rule) -> Declared {
    let line = rule.span().line;
    let (name, arguments, kind) = match rule {
        Rule::Default { refr, .. } => (refr, None, Kind::Default),
        Rule::Spec { head, .. } => match head {
            // `deny[x]` without a value is a set in v0; the parser says so by the head's kind.
            RuleHead::Set { refr, .. } => (refr, None, Kind::Set),
            RuleHead::Compr { refr, .. } => (refr, None, Kind::Value),
            RuleHead::Func { refr, args, .. } => (refr, Some(args.len()), Kind::Function),
        },
    };
    let whole = path::of(name);
    Declared {
        name: whole.parts,
        keyed: whole.open,
        arguments,
        kind,
        line,
        name_end: path::root(name)
            .and_then(|root| usize::try_from(root.end).ok())
            .unwrap_or(usize::MAX),
    }
}
