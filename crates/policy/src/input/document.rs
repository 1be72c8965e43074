//! A parsed input document, made once and shared by every policy that is evaluated on it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of the engine's values only objects are wanted"
)]

use std::collections::BTreeSet;

use regorus::Value;

use super::parts;
use crate::group::Policy;

/// The document `input` of Rego.
#[derive(Debug, Clone)]
pub struct Input {
    pub(crate) value: Value,
}

/// The text is no input document.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("the input is no JSON: {0}")]
    Json(String),
    #[error("the input is no JSON object: it should be {{\"tfplan\": …, \"tfrun\": …}}")]
    NoObject,
}

impl Input {
    /// Parses `{"tfplan": …, "tfrun": …}`, or `{"plan": …, "run": …}` for policy sets.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn parse(json: &str) -> Result<Self, InputError> {
        let value =
            Value::from_json_str(json).map_err(|error| InputError::Json(error.to_string()))?;
        match value {
            Value::Object(_) => Ok(Self { value }),
            _ => Err(InputError::NoObject),
        }
    }

    /// The same with no more of the plan than the policies read, if that can be told. What looks
    /// unusual is parsed whole: then it is what [`Self::parse`] says.
    pub(crate) fn parse_for<'a>(
        json: &str,
        policies: impl IntoIterator<Item = &'a Policy>,
    ) -> Result<Self, InputError> {
        let mut parts = BTreeSet::new();
        for policy in policies {
            match policy.bundle.plan_parts() {
                Some(more) => parts.extend(more),
                None => return Self::parse(json),
            }
        }
        match parts::parse(json, &parts) {
            Ok(value) => Ok(Self { value }),
            Err(_) => Self::parse(json),
        }
    }

    /// The same with `plan` and `run`, where only `tfplan` and `tfrun` are given.
    pub(crate) fn for_queries(&self) -> Value {
        let mut value = self.value.clone();
        for (to, from) in [("plan", "tfplan"), ("run", "tfrun")] {
            if self.value[to] == Value::Undefined && self.value[from] != Value::Undefined {
                let given = self.value[from].clone();
                if let Ok(fields) = value.as_object_mut() {
                    fields.insert(Value::from(to), given);
                }
            }
        }
        value
    }

    /// The addresses of all resources that the plan speaks of.
    pub(crate) fn addresses(&self) -> BTreeSet<String> {
        let mut addresses = BTreeSet::new();
        for plan in ["tfplan", "plan"] {
            for list in ["resource_changes", "resource_drift"] {
                if let Value::Array(changes) = &self.value[plan][list] {
                    for change in changes.iter() {
                        if let Value::String(address) = &change["address"] {
                            addresses.insert(address.to_string());
                        }
                    }
                }
            }
        }
        addresses
    }
}
