//! What the object in a request may be and say, checked for every body in one place: its type, and
//! that each of its attributes has an effect.
//!
//! A trait of the attributes and no call in each route, because a route can forget the call. What
//! nobody reads is found while reading (`serde_ignored`), so there is no second list of names.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::jsonapi::{InputData, InputLinkage};
use crate::problem::{Kind, Problem};

/// Names, each with words.
pub type Words = &'static [(&'static str, &'static [&'static str])];

/// The attributes of an object in a request.
pub trait Attributes: DeserializeOwned + Default {
    /// The types that the object may have; errors name the first. None or an empty one passes:
    /// clients send those.
    const TYPES: &'static [&'static str];
    /// What the relationships that are looked at may point to, by their names; as for `TYPES`.
    const RELATIONS: Words = &[];
    /// Attributes that clients of this API know and that would have no effect here, each with the
    /// words that ask for what is so anyway. Nothing is asked for by `null`, `false`, and what is
    /// empty; where `true` is one of the words, by that and not by `false`.
    const WITHOUT_EFFECT: Words = &[];
    /// Attributes that clients send along with everything, and that can't mislead anybody.
    const IGNORED: &'static [&'static str] = &[];
}

/// Why an object is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the type at {pointer} must be {expected:?}, not {got:?}; correct it, or leave it out")]
    WrongType {
        expected: &'static str,
        got: String,
        pointer: String,
    },
    #[error("{name:?} has no effect in this version, so it is not accepted; leave it out")]
    WithoutEffect { name: String, pointer: String },
    #[error(
        "there is no attribute {name:?} here that can be set; check how it is spelled, or leave it \
         out"
    )]
    UnknownAttribute { name: String, pointer: String },
}

impl Problem for BodyError {
    fn code(&self) -> &'static str {
        match self {
            Self::WrongType { .. } => "request.wrong-type",
            Self::WithoutEffect { .. } => "request.without-effect",
            Self::UnknownAttribute { .. } => "request.unknown-attribute",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn pointer(&self) -> Option<&str> {
        let (Self::WrongType { pointer, .. }
        | Self::WithoutEffect { pointer, .. }
        | Self::UnknownAttribute { pointer, .. }) = self;
        Some(pointer)
    }
}

/// Refuses an object of another type.
///
/// # Errors
/// [`BodyError::WrongType`], naming both types.
pub fn check_type(
    types: &[&'static str],
    kind: Option<&str>,
    object: &str,
) -> Result<(), BodyError> {
    check_type_at(types, kind.unwrap_or_default(), &format!("{object}/type"))
}

/// [`check_type`], of a type that stands at `pointer`.
///
/// # Errors
/// [`BodyError::WrongType`], naming both types.
pub fn check_type_at(types: &[&'static str], kind: &str, pointer: &str) -> Result<(), BodyError> {
    if kind.is_empty() || types.contains(&kind) {
        return Ok(());
    }
    Err(BodyError::WrongType {
        expected: types.first().copied().unwrap_or_default(),
        got: kind.to_owned(),
        pointer: pointer.to_owned(),
    })
}

/// Refuses an object of another type, and relationships to what they can't be with.
///
/// # Errors
/// [`BodyError::WrongType`], naming both types.
pub(super) fn check_types<A: Attributes>(
    data: &InputData<A>,
    object: &str,
) -> Result<(), BodyError> {
    check_type(A::TYPES, data.kind.as_deref(), object)?;
    for (name, types) in A::RELATIONS {
        let place = format!("{object}/relationships/{name}/data");
        match data.relationships.get(*name).map(|it| &it.data) {
            Some(InputLinkage::One(one)) => check_type(types, Some(&one.kind), &place)?,
            Some(InputLinkage::Many(many)) => {
                for (at, one) in many.iter().enumerate() {
                    check_type(types, Some(&one.kind), &format!("{place}/{at}"))?;
                }
            }
            Some(InputLinkage::Null) | None => {}
        }
    }
    Ok(())
}

/// A place in a document, from its root.
pub(super) type Path = Vec<String>;

/// Refuses what was read over, if it asks for something. `attributes` is how long the path to the
/// attributes is.
///
/// # Errors
/// [`BodyError`], naming the first.
pub(super) fn check_ignored<A: Attributes>(
    document: &Value,
    ignored: &[Path],
    attributes: usize,
) -> Result<(), BodyError> {
    for path in ignored {
        let Some(within) = path.get(attributes..).filter(|it| !it.is_empty()) else {
            continue;
        };
        let value = value_at(document, path).unwrap_or(&Value::Null);
        let name = within.join(".");
        if A::IGNORED.contains(&name.as_str()) {
            continue;
        }
        let known = A::WITHOUT_EFFECT.iter().find(|(it, _)| *it == name);
        match known {
            Some((_, words)) if asks_for_nothing(value, words) => {}
            None if value.is_null() => {}
            Some(_) => {
                return Err(BodyError::WithoutEffect {
                    name,
                    pointer: pointer(path),
                });
            }
            None => {
                return Err(BodyError::UnknownAttribute {
                    name,
                    pointer: pointer(path),
                });
            }
        }
    }
    Ok(())
}

fn asks_for_nothing(value: &Value, words: &[&str]) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => *on == words.contains(&"true"),
        Value::Number(_) => false,
        Value::String(text) => text.is_empty() || words.contains(&text.as_str()),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.values().all(|it| asks_for_nothing(it, words)),
    }
}

fn value_at<'v>(document: &'v Value, path: &Path) -> Option<&'v Value> {
    path.iter().try_fold(document, |value, step| match value {
        Value::Array(list) => list.get(step.parse::<usize>().ok()?),
        Value::Object(members) => members.get(step),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// The JSON pointer of a place; `/` for the document itself.
pub(super) fn pointer(path: &Path) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    path.iter()
        .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
        .collect()
}

/// The place that `serde_ignored` found.
pub(super) fn path_of(found: &serde_ignored::Path<'_>) -> Path {
    use serde_ignored::Path as At;
    let (parent, step) = match found {
        At::Root => return Vec::new(),
        At::Seq { parent, index } => (parent, Some(index.to_string())),
        At::Map { parent, key } => (parent, Some(key.clone())),
        At::Some { parent } | At::NewtypeStruct { parent } | At::NewtypeVariant { parent } => {
            (parent, None)
        }
    };
    let mut path = path_of(parent);
    path.extend(step);
    path
}
