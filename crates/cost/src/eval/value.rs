//! Values of rule expressions.

use std::borrow::Cow;
use std::rc::Rc;

use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::book::{NoPrice, Price};

#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    /// Not known before the apply.
    Unknown,
    Boolean(bool),
    Number(Decimal),
    Text(Cow<'a, str>),
    /// A list or block, and where it is not known yet.
    Json(&'a Json, Option<&'a Json>),
    List(Rc<Vec<Value<'a>>>),
    /// Another resource, by its index.
    Entity(usize),
    Price(Rc<Price>),
    NoPrice(Rc<NoPrice>),
}

impl<'a> Value<'a> {
    /// A value of a plan; `unknown` has its shape.
    pub(crate) fn of(json: &'a Json, unknown: Option<&'a Json>) -> Self {
        if let Some(Json::Bool(true)) = unknown
            && (json.is_null() || json.as_array().is_some_and(Vec::is_empty))
        {
            return Self::Unknown;
        }
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Boolean(*value),
            Json::Number(value) => {
                crate::money::parse(&value.to_string()).map_or(Self::Unknown, Self::Number)
            }
            Json::String(value) => Self::Text(Cow::Borrowed(value)),
            Json::Array(_) | Json::Object(_) => Self::Json(json, unknown),
        }
    }

    /// An attribute of a block; of a list of blocks, that of the first.
    pub(crate) fn field(&self, name: &str) -> Value<'a> {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Json(Json::Object(fields), unknown) => {
                let unknown = unknown.and_then(|unknown| match unknown {
                    Json::Object(fields) => fields.get(name),
                    Json::Bool(true) => Some(unknown),
                    _ => None,
                });
                match fields.get(name) {
                    Some(value) => Self::of(value, unknown),
                    None if matches!(unknown, Some(Json::Bool(true))) => Self::Unknown,
                    None => Self::Null,
                }
            }
            Self::Json(Json::Array(_), _) | Self::List(_) => match self.items().first() {
                Some(first) => first.field(name),
                None => Self::Null,
            },
            _ => Self::Null,
        }
    }

    /// `a.b.c`
    pub(crate) fn path(&self, path: &str) -> Value<'a> {
        path.split('.')
            .fold(self.clone(), |value, name| value.field(name))
    }

    /// The items of a list; a single value is a list of one, nothing a list of none.
    pub(crate) fn items(&self) -> Vec<Value<'a>> {
        match self {
            Self::Null | Self::Unknown => Vec::new(),
            Self::Json(Json::Array(items), unknown) => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let unknown = unknown.and_then(|unknown| match unknown {
                        Json::Array(items) => items.get(index),
                        _ => None,
                    });
                    Self::of(item, unknown)
                })
                .collect(),
            Self::List(items) => items.as_ref().clone(),
            other => vec![other.clone()],
        }
    }

    /// The texts in it, when it is a text or a list of texts.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |value: &Value<'_>| match value {
            Value::Text(text) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        };
        self.items().iter().filter_map(text).collect()
    }

    pub(crate) fn number(&self) -> Option<Decimal> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => crate::money::parse(text),
            _ => None,
        }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        match self {
            Self::Null | Self::Unknown => true,
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// For conditions: nothing and what is not known yet don't hold.
    pub(crate) fn holds(&self) -> bool {
        match self {
            Self::Boolean(value) => *value,
            Self::Text(text) => text == "true",
            Self::Number(number) => !number.is_zero(),
            Self::Json(Json::Array(items), _) => !items.is_empty(),
            Self::Json(..) | Self::Entity(_) => true,
            Self::List(items) => !items.is_empty(),
            Self::Null | Self::Unknown | Self::Price(_) | Self::NoPrice(_) => false,
        }
    }

    /// As it is put into names and attributes of prices.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Number(number) => number.normalize().to_string(),
            Self::Boolean(value) => value.to_string(),
            _ => String::new(),
        }
    }

    pub(crate) fn equals(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Boolean(a), Value::Boolean(b)) => a == b,
            (Self::Boolean(a), Value::Text(b)) | (Self::Text(b), Value::Boolean(a)) => {
                b == if *a { "true" } else { "false" }
            }
            (Self::Entity(a), Value::Entity(b)) => a == b,
            (Self::Text(a), Value::Text(b)) => a.eq_ignore_ascii_case(b),
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }
}
