//! Functions of the rule language.

use std::borrow::Cow;
use std::rc::Rc;

use rust_decimal::Decimal;

use super::statement::Run;
use super::value::Value;
use crate::book::{NoPrice, Price};
use crate::rules::Expression;

impl<'a> Run<'a> {
    pub(super) fn function(
        &mut self,
        name: &'a str,
        arguments: &'a [Expression],
        named: &'a [(String, Expression)],
    ) -> Value<'a> {
        let values: Vec<Value<'a>> = arguments.iter().map(|each| self.evaluate(each)).collect();
        if let ("has", [argument], [Value::Unknown]) = (name, arguments, values.as_slice()) {
            return Value::Boolean(self.configured(argument));
        }
        let named: Vec<(String, String)> = named
            .iter()
            .map(|(name, value)| (name.clone(), self.evaluate(value)))
            .map(|(name, value)| (name, shown(&value)))
            .collect();
        let text = |index: usize| values.get(index).map(Value::text).unwrap_or_default();
        match name {
            "meter" => self.priced(
                self.side
                    .book
                    .meter(&text(0), self.region.as_deref(), &named),
            ),
            "raw" => {
                let mut attributes = vec![("desc".to_owned(), text(1))];
                attributes.extend(named);
                let key = format!("raw:{}", text(0));
                self.priced(
                    self.side
                        .book
                        .meter(&key, self.region.as_deref(), &attributes),
                )
            }
            "ref" => {
                let component = values.first().map(Value::text);
                self.derived(component.as_deref(), &named)
            }
            "via" => {
                let linked = self.side.linked(self.index, &text(0));
                self.first_entity(&linked, values.get(1))
            }
            "link" => match values.first() {
                Some(Value::Entity(index)) => {
                    let linked = self.side.linked(*index, &text(1));
                    self.first_entity(&linked, values.get(2))
                }
                _ => Value::Null,
            },
            "users" => entities(&self.side.users(self.index, &text(0), &text(1))),
            "users_of" => match values.first() {
                Some(Value::Entity(index)) => {
                    entities(&self.side.users(*index, &text(1), &text(2)))
                }
                _ => Value::Null,
            },
            "region_of" => match values.first() {
                Some(Value::Entity(index)) => self
                    .side
                    .region(*index)
                    .map_or(Value::Null, |region| Value::Text(region.into())),
                _ => Value::Null,
            },
            "sum" => self.sum(values.first(), &text(1)),
            "with" => self.filtered(values.first(), &text(1), values.get(2)),
            "usage_of" => match values.first() {
                Some(Value::Entity(index)) => {
                    let entity = &self.side.world.entities[*index];
                    self.side.usage.of(&entity.address, &entity.kind)
                }
                _ => Value::Null,
            },
            _ => pure(name, &values),
        }
    }

    /// Whether a value that is not known yet was asked for: of an attribute that the configuration leaves out, the
    /// cloud's own choice is not known, which says nothing.
    fn configured(&self, argument: &Expression) -> bool {
        match attribute_path(argument) {
            Some(path) if !self.is_variable(&path) => {
                let entity = self.entity;
                self.side
                    .configuration
                    .declares(&entity.module_path(), &entity.base(), &path)
            }
            _ => true,
        }
    }

    fn priced(&self, found: Result<Price, NoPrice>) -> Value<'a> {
        match found {
            Ok(price) => Value::Price(Rc::new(price)),
            Err(reason) => Value::NoPrice(Rc::new(reason)),
        }
    }

    /// The price of a component from reference estimates, which the book keeps per displayed unit.
    pub(super) fn derived(&self, component: Option<&str>, named: &[(String, String)]) -> Value<'a> {
        let (own, unit, scale) = (&self.component.0, self.component.1, self.component.2);
        let given = |wanted: &str| {
            named
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.as_str())
        };
        let path: Vec<&str> = self
            .path
            .iter()
            .map(|part| part.split('[').next().unwrap_or(part))
            .collect();
        let matches = |name: &str, value: &str| {
            let held = match given(name) {
                Some(held) => held.to_owned(),
                None => shown(&self.attributes(self.index).path(name)),
            };
            let held = if held.is_empty() { "(unset)" } else { &held };
            held.eq_ignore_ascii_case(value)
        };
        let found = self.side.book.component(
            given("of").unwrap_or(&self.entity.kind),
            self.region.as_deref(),
            component.unwrap_or(own),
            given("path").unwrap_or(&path.join("/")),
            unit,
            &matches,
        );
        match self.priced(found) {
            Value::Price(price) => match Decimal::ONE.checked_div(scale) {
                Some(factor) => super::price::scale(&price, factor),
                None => Value::Null,
            },
            other => other,
        }
    }

    fn first_entity(&self, linked: &[usize], kinds: Option<&Value<'a>>) -> Value<'a> {
        let wanted = kinds.map(Value::texts).unwrap_or_default();
        let fits = |index: &&usize| {
            wanted.is_empty() || wanted.contains(&self.side.world.entities[**index].kind)
        };
        let mut fitting = linked.iter().filter(fits);
        let Some(first) = fitting.next() else {
            return Value::Null;
        };
        // Several instances of one resource, and no telling which: whatever is read of it is not known.
        let base = |index: usize| &self.side.world.entities[index];
        let alike = |other: &usize| {
            let (a, b) = (base(*first), base(*other));
            a.kind == b.kind && a.name == b.name && a.module == b.module
        };
        if fitting.any(alike) {
            return Value::Unknown;
        }
        Value::Entity(*first)
    }

    fn sum(&self, list: Option<&Value<'a>>, field: &str) -> Value<'a> {
        let mut total = Decimal::ZERO;
        for item in list.map(Value::items).unwrap_or_default() {
            let number = self.field(&item, field).number().unwrap_or_default();
            match total.checked_add(number) {
                Some(sum) => total = sum,
                None => return Value::Unknown,
            }
        }
        Value::Number(total)
    }

    /// The items whose field has a value.
    fn filtered(
        &self,
        list: Option<&Value<'a>>,
        field: &str,
        wanted: Option<&Value<'a>>,
    ) -> Value<'a> {
        let wanted = wanted.cloned().unwrap_or(Value::Null);
        let mut items = list.map(Value::items).unwrap_or_default();
        items.retain(|item| self.field(item, field).equals(&wanted));
        Value::List(Rc::new(items))
    }
}

/// `a.b` as a path; `None` for what is no attribute.
fn attribute_path(expression: &Expression) -> Option<String> {
    match expression {
        Expression::Name(name) => Some(name.clone()),
        Expression::Field(of, name) => Some(format!("{}.{name}", attribute_path(of)?)),
        _ => None,
    }
}

fn entities<'a>(indexes: &[usize]) -> Value<'a> {
    Value::List(Rc::new(
        indexes.iter().map(|index| Value::Entity(*index)).collect(),
    ))
}

/// As reference rows write attributes: `True`, not `true`.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Boolean(true) => "True".to_owned(),
        Value::Boolean(false) => "False".to_owned(),
        other => other.text(),
    }
}

/// Functions that depend on their arguments alone.
fn pure<'a>(name: &str, values: &[Value<'a>]) -> Value<'a> {
    let first = values.first().cloned().unwrap_or(Value::Null);
    if matches!(first, Value::Unknown) && !matches!(name, "has" | "len" | "pick" | "max" | "min") {
        return Value::Unknown;
    }
    let text = |index: usize| values.get(index).map(Value::text).unwrap_or_default();
    let owned = |text: String| Value::Text(Cow::Owned(text));
    let number = |number: Option<Decimal>| number.map_or(Value::Null, Value::Number);
    match name {
        "lower" => owned(text(0).to_lowercase()),
        "upper" => owned(text(0).to_uppercase()),
        "title" => {
            let word = text(0);
            let mut letters = word.chars();
            let head = letters.next().map(|c| c.to_uppercase().to_string());
            owned(head.unwrap_or_default() + &letters.as_str().to_lowercase())
        }
        "replace" => owned(text(0).replace(&text(1), &text(2))),
        "split" => {
            let index = values
                .get(2)
                .and_then(Value::number)
                .and_then(|at| usize::try_from(at.mantissa()).ok());
            let (whole, separator) = (text(0), text(1));
            let piece = whole
                .split(separator.as_str())
                .nth(index.unwrap_or(0))
                .map(str::to_owned);
            piece.map_or(Value::Null, owned)
        }
        "starts" => Value::Boolean(text(0).to_lowercase().starts_with(&text(1).to_lowercase())),
        "ends" => Value::Boolean(text(0).to_lowercase().ends_with(&text(1).to_lowercase())),
        "contains" => match &first {
            Value::Text(whole) => {
                Value::Boolean(whole.to_lowercase().contains(&text(1).to_lowercase()))
            }
            other => Value::Boolean(
                other
                    .items()
                    .iter()
                    .any(|item| item.equals(&values[values.len() - 1])),
            ),
        },
        "digits" => {
            let whole = text(0);
            let digits: String = whole
                .chars()
                .skip_while(|c| !c.is_ascii_digit())
                .take_while(char::is_ascii_digit)
                .collect();
            number(crate::money::parse(&digits))
        }
        "num" => number(first.number()),
        "ceil" => number(first.number().map(|value| value.ceil())),
        "floor" => number(first.number().map(|value| value.floor())),
        "max" => number(values.iter().filter_map(Value::number).max()),
        "min" => number(values.iter().filter_map(Value::number).min()),
        "place" => {
            owned(super::region::azure_name(&text(0)).map_or_else(|| text(0), str::to_owned))
        }
        // sum_keys(block, ["us_"], "us_east1"): what lies under keys that start so, less one key
        "sum_keys" => {
            let prefixes = values.get(1).map(Value::texts).unwrap_or_default();
            let but = text(2);
            let Value::Json(serde_json::Value::Object(fields), _) = &first else {
                return Value::Number(Decimal::ZERO);
            };
            let wanted = fields.iter().filter(|(key, _)| {
                **key != but
                    && prefixes
                        .iter()
                        .any(|prefix| key.starts_with(prefix.as_str()))
            });
            let amounts = wanted.filter_map(|(_, value)| Value::of(value, None).number());
            number(
                amounts
                    .into_iter()
                    .try_fold(Decimal::ZERO, Decimal::checked_add),
            )
        }
        "len" => match first {
            Value::Unknown => Value::Unknown,
            value => Value::Number(Decimal::from(value.items().len())),
        },
        "has" => Value::Boolean(!matches!(first, Value::Null)),
        "list" => Value::List(Rc::new(first.items())),
        // pick(value, "a", 1, "b", 2, otherwise)
        "pick" => {
            let pairs = values.get(1..).unwrap_or_default().chunks(2);
            let mut found = Value::Null;
            for pair in pairs {
                match pair {
                    [wanted, result] if first.equals(wanted) => return result.clone(),
                    [otherwise] => found = otherwise.clone(),
                    _ => {}
                }
            }
            found
        }
        // step(number, 4, "a", 8, "b"): the result of the first bound that is not below the number
        "step" => {
            let wanted = first.number();
            let bounds = values.get(1..).unwrap_or_default().chunks_exact(2);
            for bound in bounds {
                if let (Some(wanted), Some(limit)) = (wanted, bound[0].number())
                    && wanted <= limit
                {
                    return bound[1].clone();
                }
            }
            Value::Null
        }
        _ => Value::Null,
    }
}
