//! What refers to what, and where providers work: from the configuration that a plan carries.
//!
//! A plan says `known after apply` where a configuration says `aws_subnet.a.id`; prices depend on such links (the
//! disk of an image, the plan of an app, the region of a provider).

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::document::{ConfigurationModule, ConfigurationTree, Variable};

#[derive(Debug, Default)]
pub(crate) struct Configuration {
    /// By (module without keys, `TYPE.NAME`).
    resources: HashMap<(String, String), Declared>,
    modules: HashMap<String, Module>,
    providers: BTreeMap<String, (String, Value)>,
    variables: HashMap<String, Value>,
}

#[derive(Debug)]
struct Declared {
    provider: Option<String>,
    expressions: Value,
    for_each: Value,
}

#[derive(Debug, Default)]
struct Module {
    /// What the caller passes.
    arguments: Value,
    outputs: HashMap<String, Value>,
    defaults: HashMap<String, Value>,
}

/// A resource that an expression refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Without instance keys.
    pub(crate) module: String,
    /// `TYPE.NAME`.
    pub(crate) base: String,
    /// `[0]`, `["a"]`, or empty.
    pub(crate) key: String,
}

/// Links are followed through variables and outputs of modules this far.
const DEPTH: usize = 12;

impl Configuration {
    pub(super) fn new(
        tree: Option<ConfigurationTree>,
        variables: &BTreeMap<String, Variable>,
    ) -> Self {
        let mut configuration = Self::default();
        for (name, variable) in variables {
            configuration
                .variables
                .insert(name.clone(), variable.value.clone());
        }
        let Some(tree) = tree else {
            return configuration;
        };
        for (key, provider) in tree.provider_config {
            let module = provider.module_address.unwrap_or_default();
            configuration
                .providers
                .insert(key, (module, provider.expressions));
        }
        configuration.add(String::new(), Value::Null, tree.root_module);
        configuration
    }

    fn add(&mut self, path: String, arguments: Value, module: ConfigurationModule) {
        for resource in module.resources {
            let declared = Declared {
                provider: resource.provider_config_key,
                expressions: resource.expressions,
                for_each: resource.for_each_expression,
            };
            self.resources
                .insert((path.clone(), resource.address), declared);
        }
        for (name, call) in module.module_calls {
            let child = if path.is_empty() {
                format!("module.{name}")
            } else {
                format!("{path}.module.{name}")
            };
            self.add(child, call.expressions, call.module);
        }
        let outputs = module
            .outputs
            .into_iter()
            .map(|(name, output)| (name, output.expression));
        let defaults = module
            .variables
            .into_iter()
            .map(|(name, variable)| (name, variable.default));
        self.modules.insert(
            path,
            Module {
                arguments,
                outputs: outputs.collect(),
                defaults: defaults.collect(),
            },
        );
    }

    /// The resources that an attribute refers to, nearest first. `path` may go into blocks: `a.b`.
    pub(crate) fn targets(&self, module: &str, base: &str, path: &str) -> Vec<Target> {
        let Some(declared) = self.resources.get(&(module.to_owned(), base.to_owned())) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        match at(&declared.expressions, path) {
            Some(expression) => self.follow(module, expression, Some(declared), DEPTH, &mut found),
            // A dynamic block leaves only its references.
            None => return found,
        }
        found
    }

    /// Whether the configuration gives an attribute a value. Without a configuration nothing is given.
    pub(crate) fn declares(&self, module: &str, base: &str, path: &str) -> bool {
        let declared = self.resources.get(&(module.to_owned(), base.to_owned()));
        declared.is_some_and(|declared| {
            at(&declared.expressions, path)
                .is_some_and(|given| given.as_object().is_none_or(|fields| !fields.is_empty()))
        })
    }

    /// Everything that any of a resource's attributes refers to.
    pub(crate) fn all_targets(&self, module: &str, base: &str) -> Vec<Target> {
        let Some(declared) = self.resources.get(&(module.to_owned(), base.to_owned())) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        self.follow(
            module,
            &declared.expressions,
            Some(declared),
            DEPTH,
            &mut found,
        );
        found
    }

    fn follow(
        &self,
        module: &str,
        expression: &Value,
        declared: Option<&Declared>,
        depth: usize,
        found: &mut Vec<Target>,
    ) {
        if depth == 0 {
            return;
        }
        for reference in references(expression) {
            let mut parts = reference.split('.');
            match (parts.next(), parts.next(), parts.next()) {
                (Some("each"), ..) => {
                    if let Some(declared) = declared {
                        self.follow(module, &declared.for_each, None, depth - 1, found);
                    }
                }
                (Some("var"), Some(name), _) => {
                    let Some((caller, arguments)) = self.call(module) else {
                        continue;
                    };
                    if let Some(argument) = arguments.get(head(name)) {
                        self.follow(&caller, argument, None, depth - 1, found);
                    }
                }
                (Some("module"), Some(name), Some(output)) => {
                    let name = head(name);
                    let child = match module {
                        "" => format!("module.{name}"),
                        _ => format!("{module}.module.{name}"),
                    };
                    let expression = self
                        .modules
                        .get(&child)
                        .and_then(|called| called.outputs.get(head(output)));
                    if let Some(expression) = expression {
                        self.follow(&child, expression, None, depth - 1, found);
                    }
                }
                (
                    Some(
                        "data" | "local" | "path" | "count" | "self" | "terraform" | "var"
                        | "module",
                    ),
                    ..,
                ) => {}
                (Some(kind), Some(name), _) => {
                    let base = format!("{kind}.{}", head(name));
                    let rest = &reference[kind.len() + 1 + head(name).len()..];
                    let key = rest
                        .strip_prefix('[')
                        .and_then(|rest| rest.split_once(']'))
                        .map_or_else(String::new, |(key, _)| format!("[{key}]"));
                    let target = Target {
                        module: module.to_owned(),
                        base,
                        key,
                    };
                    if !found.contains(&target) {
                        found.push(target);
                    }
                }
                _ => {}
            }
        }
    }

    fn call(&self, module: &str) -> Option<(String, &Value)> {
        let called = self.modules.get(module)?;
        let caller = match module.rsplit_once(".module.") {
            Some((caller, _)) => caller.to_owned(),
            None => String::new(),
        };
        (!module.is_empty()).then_some((caller, &called.arguments))
    }

    /// What a resource's provider is configured with, if it can be told without running Terraform.
    pub(crate) fn provider_setting(
        &self,
        module: &str,
        base: &str,
        setting: &str,
    ) -> Option<String> {
        let declared = self.resources.get(&(module.to_owned(), base.to_owned()))?;
        let key = declared.provider.as_deref()?;
        // A provider that a module was given is configured where the module is called.
        let plain = key.rsplit(':').next().unwrap_or(key);
        let (home, expressions) = self
            .providers
            .get(key)
            .or_else(|| self.providers.get(plain))?;
        self.constant(home, at(expressions, setting)?, DEPTH)
    }

    /// A text that an expression amounts to, through variables.
    fn constant(&self, module: &str, expression: &Value, depth: usize) -> Option<String> {
        if depth == 0 {
            return None;
        }
        if let Some(constant) = expression.get("constant_value") {
            return constant.as_str().map(str::to_owned);
        }
        let references = references(expression);
        let name = head(references.first()?.strip_prefix("var.")?);
        if references
            .iter()
            .any(|reference| head(reference.strip_prefix("var.").unwrap_or("")) != name)
        {
            return None;
        }
        if module.is_empty() {
            let value = self.variables.get(name).filter(|value| !value.is_null());
            let default = || self.modules.get("")?.defaults.get(name);
            return value.or_else(default)?.as_str().map(str::to_owned);
        }
        let (caller, arguments) = self.call(module)?;
        match arguments.get(name) {
            Some(argument) => self.constant(&caller, argument, depth - 1),
            None => self
                .modules
                .get(module)?
                .defaults
                .get(name)?
                .as_str()
                .map(str::to_owned),
        }
    }
}

/// A name without what follows it: `a[0]` → `a`.
fn head(name: &str) -> &str {
    name.split(['[', '.']).next().unwrap_or(name)
}

fn at<'a>(expressions: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = expressions;
    for part in path.split('.') {
        value = match value {
            Value::Array(items) => items.first()?.get(part)?,
            Value::Object(fields) => fields.get(part)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
    }
    Some(value)
}

/// All references of an expression, or of a block of expressions.
fn references(expression: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut left = vec![expression];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(items.iter().rev()),
            Value::Object(fields) => match fields.get("references").and_then(Value::as_array) {
                Some(names) => found.extend(names.iter().filter_map(Value::as_str)),
                None if fields.contains_key("constant_value") => {}
                None => left.extend(fields.values().rev()),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}
