//! Runs the statements of a rule.

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::value::Value;
use super::{MONTH, Outcome, Side};
use crate::plan::Entity;
use crate::rules::{Expression, Statement};

/// Macros call macros this deep at most.
const DEEPEST: usize = 24;

/// A rule being run on a resource.
pub(super) struct Run<'a> {
    pub(super) side: &'a Side<'a>,
    pub(super) index: usize,
    pub(super) entity: &'a Entity,
    pub(super) usage: Value<'a>,
    pub(super) region: Option<String>,
    pub(super) path: Vec<String>,
    pub(super) scopes: Vec<HashMap<&'a str, Value<'a>>>,
    pub(super) outcome: Outcome,
    /// Name, unit and scale of the component whose price is being evaluated.
    pub(super) component: (String, &'a str, Decimal),
    stopped: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(side: &'a Side<'a>, index: usize) -> Self {
        let entity = &side.world.entities[index];
        Self {
            side,
            index,
            entity,
            usage: side.usage.of(&entity.address, &entity.kind),
            region: side.region(index),
            path: Vec::new(),
            scopes: vec![HashMap::new()],
            outcome: Outcome::default(),
            component: (String::new(), "", Decimal::ONE),
            stopped: false,
        }
    }

    pub(super) fn finish(mut self) -> Outcome {
        self.outcome.region = self.region;
        self.outcome
    }

    pub(super) fn block(&mut self, statements: &'a [Statement]) {
        for statement in statements {
            if self.stopped {
                return;
            }
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'a Statement) {
        match statement {
            Statement::Let(name, value) => {
                let value = self.evaluate(value);
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(name, value);
                }
            }
            Statement::Region(place) => {
                self.region = match self.evaluate(place) {
                    Value::Text(place) if !place.is_empty() => Some(super::region::azure(&place)),
                    _ => None,
                };
            }
            Statement::If(condition, yes, no) => {
                let holds = self.evaluate(condition).holds();
                self.block(if holds { yes } else { no });
            }
            Statement::For(name, list, body) => {
                for item in self.evaluate(list).items() {
                    if let Some(scope) = self.scopes.last_mut() {
                        scope.insert(name, item);
                    }
                    self.block(body);
                }
            }
            Statement::Part(path, body) => {
                let path = self.evaluate(path).text();
                self.path.push(path);
                self.block(body);
                self.path.pop();
            }
            Statement::Call(name, arguments) => self.call(name, arguments),
            Statement::Component(component) => self.component(component),
            Statement::Free => {
                self.outcome.free = true;
                self.stopped = true;
            }
            Statement::Unknown(reason) => {
                let reason = self.evaluate(reason).text();
                self.outcome.unknown.get_or_insert(reason);
                self.stopped = true;
            }
            Statement::Missing(reason) => {
                let reason = self.evaluate(reason).text();
                self.outcome.missing.get_or_insert(reason);
                self.stopped = true;
            }
        }
    }

    fn call(&mut self, name: &'a str, arguments: &'a [Expression]) {
        let rules = self.side.rules;
        let Some(definition) = rules.get_macro(name) else {
            self.outcome.unknown = Some(format!("the rules lack {name}"));
            return;
        };
        if self.scopes.len() > DEEPEST {
            self.outcome.unknown = Some(format!("the rules call {name} without an end"));
            self.stopped = true;
            return;
        }
        let values: Vec<Value<'a>> = arguments.iter().map(|each| self.evaluate(each)).collect();
        let mut scope: HashMap<&'a str, Value<'a>> = HashMap::new();
        for (index, parameter) in definition.parameters.iter().enumerate() {
            scope.insert(parameter, values.get(index).cloned().unwrap_or(Value::Null));
        }
        self.scopes.push(scope);
        self.block(&definition.body);
        self.scopes.pop();
    }

    /// A variable, a word of the language, or an attribute of the resource.
    pub(super) fn name(&mut self, name: &'a str) -> Value<'a> {
        if let Some(value) = self.scopes.last().and_then(|scope| scope.get(name)) {
            return value.clone();
        }
        match name {
            "u" => self.usage.clone(),
            "hours" => Value::Number(Decimal::from(MONTH)),
            "here" => self
                .region
                .clone()
                .map_or(Value::Null, |region| Value::Text(region.into())),
            "me" => Value::Entity(self.index),
            _ => self.attributes(self.index).field(name),
        }
    }

    /// Whether a path starts with a variable of the rule rather than with an attribute.
    pub(super) fn is_variable(&self, path: &str) -> bool {
        let name = path.split('.').next().unwrap_or(path);
        self.scopes
            .last()
            .is_some_and(|scope| scope.contains_key(name))
    }

    pub(super) fn attributes(&self, index: usize) -> Value<'a> {
        self.side
            .world
            .entities
            .get(index)
            .map_or(Value::Null, |entity| {
                Value::Json(&entity.values, Some(&entity.unknown))
            })
    }

    pub(super) fn field(&self, of: &Value<'a>, name: &str) -> Value<'a> {
        match of {
            Value::Entity(index) => match name {
                "type" => Value::Text(self.side.world.entities[*index].kind.as_str().into()),
                _ => self.attributes(*index).field(name),
            },
            Value::List(items) => match items.first() {
                Some(first) => self.field(first, name),
                None => Value::Null,
            },
            other => other.field(name),
        }
    }

    /// Notes that a value that is not known yet was taken for another.
    pub(super) fn assume(&mut self, expression: &Expression, value: &Value<'_>) {
        let name = match expression {
            Expression::Name(name) | Expression::Field(_, name) => name.as_str(),
            _ => return,
        };
        let text = value.text();
        if text.is_empty() {
            return;
        }
        let note = format!("{name} is known only after the apply: {text} is assumed");
        if !self.outcome.assumptions.contains(&note) {
            self.outcome.assumptions.push(note);
        }
    }
}
