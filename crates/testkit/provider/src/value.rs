//! MessagePack values as Terraform sends them, and their way to JSON and back.

use rmpv::Value as Wire;
use serde_json::Value as Json;

/// "Known after apply": Terraform's extension type 0.
pub fn unknown() -> Wire {
    Wire::Ext(0, vec![0])
}

pub fn is_unknown(value: &Wire) -> bool {
    matches!(value, Wire::Ext(..))
}

pub fn get<'a>(object: &'a Wire, name: &str) -> Option<&'a Wire> {
    let members = object.as_map()?;
    members
        .iter()
        .find(|(key, _)| key.as_str() == Some(name))
        .map(|(_, value)| value)
}

pub fn get_text<'a>(object: &'a Wire, name: &str) -> Option<&'a str> {
    get(object, name).and_then(Wire::as_str)
}

pub fn get_number(object: &Wire, name: &str) -> Option<u64> {
    get(object, name).and_then(Wire::as_u64)
}

pub fn set(object: &mut Wire, name: &str, value: Wire) {
    let Wire::Map(members) = object else { return };
    match members
        .iter_mut()
        .find(|(key, _)| key.as_str() == Some(name))
    {
        Some((_, old)) => *old = value,
        None => members.push((Wire::from(name), value)),
    }
}

/// Unknown values become `null`.
pub fn to_json(value: &Wire) -> Json {
    match value {
        Wire::Boolean(flag) => Json::from(*flag),
        Wire::Integer(number) => match number.as_i64() {
            Some(number) => Json::from(number),
            None => Json::from(number.as_u64()),
        },
        Wire::F32(number) => Json::from(*number),
        Wire::F64(number) => Json::from(*number),
        Wire::String(text) => Json::from(text.as_str().unwrap_or_default()),
        Wire::Array(elements) => elements.iter().map(to_json).collect(),
        Wire::Map(members) => Json::Object(
            members
                .iter()
                .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), to_json(value)))
                .collect(),
        ),
        Wire::Nil | Wire::Binary(_) | Wire::Ext(..) => Json::Null,
    }
}

pub fn from_json(value: &Json) -> Wire {
    match value {
        Json::Null => Wire::Nil,
        Json::Bool(flag) => Wire::Boolean(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Wire::from(number),
            None => Wire::F64(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Wire::from(text.as_str()),
        Json::Array(elements) => Wire::Array(elements.iter().map(from_json).collect()),
        Json::Object(members) => Wire::Map(
            members
                .iter()
                .map(|(key, value)| (Wire::from(key.as_str()), from_json(value)))
                .collect(),
        ),
    }
}
