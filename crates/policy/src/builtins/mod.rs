//! The builtins of this platform: the engine's, mended and completed.
//!
//! Extensions are looked up before the engine's own builtins, so what is added here under the same
//! name stands in front of it.

mod circumstances;
mod collections;
mod crypto;
mod network;
mod refused;
mod sprintf;
mod text;

use std::sync::{Arc, Mutex, PoisonError};

use regorus::{Engine, Value};

pub use circumstances::Circumstances;
pub(crate) use refused::Why;

/// A builtin that depends on its arguments alone. An error is "undefined", as in OPA.
type Implementation = fn(&[Value]) -> anyhow::Result<Value>;

const TABLES: &[&[(&str, u8, Implementation)]] =
    &[collections::BUILTINS, crypto::BUILTINS, network::BUILTINS];

/// The refused builtins that an evaluation called.
///
/// The engine forgets an error inside a function as soon as another definition of that function has
/// a value; a refused call must not be forgotten.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<&'static str>>>);

impl Calls {
    fn note(&self, name: &'static str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name);
    }

    /// The first one, if there was any.
    pub(crate) fn first(&self) -> Option<&'static str> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .first()
            .copied()
    }

    /// Starts anew.
    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Adds everything to an engine.
///
/// # Errors
/// When a name is taken twice: a mistake in the tables.
pub(crate) fn install(engine: &mut Engine, around: Circumstances) -> anyhow::Result<Calls> {
    for (name, arguments, implementation) in TABLES.iter().copied().flatten().copied() {
        add(engine, name, arguments, move |values| {
            Ok(implementation(&values).unwrap_or(Value::Undefined))
        })?;
    }
    add(engine, "sprintf", 2, |values| sprintf::sprintf(&values))?;
    add(engine, "time.now_ns", 0, move |_| Ok(around.now()))?;
    add(engine, "rand.intn", 2, move |values| {
        Ok(around.chance(&values).unwrap_or(Value::Undefined))
    })?;
    add(engine, "uuid.rfc4122", 1, move |values| {
        Ok(around.uuid(&values).unwrap_or(Value::Undefined))
    })?;
    let calls = Calls::default();
    for (name, arguments, why) in refused::REFUSED.iter().copied() {
        let calls = calls.clone();
        add(engine, name, arguments, move |_| {
            calls.note(name);
            anyhow::bail!("{}", refusal(name, why))
        })?;
    }
    Ok(calls)
}

fn refusal(name: &str, why: Why) -> String {
    match why {
        Why::Outside => format!("`{name}` is not allowed in policies"),
        Why::Missing => format!("`{name}` is not supported"),
    }
}

fn add(
    engine: &mut Engine,
    name: &str,
    arguments: u8,
    extension: impl FnMut(Vec<Value>) -> anyhow::Result<Value> + Clone + Send + Sync + 'static,
) -> anyhow::Result<()> {
    engine.add_extension(name.to_owned(), arguments, Box::new(extension))
}

/// What a called name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Supported,
    Refused(Why),
    /// No builtin at all.
    Unknown,
}

/// What the builtin `name` is worth here.
pub(crate) fn standing(name: &str) -> Standing {
    if let Some((_, _, why)) = refused::REFUSED
        .iter()
        .find(|(refused, ..)| *refused == name)
    {
        return Standing::Refused(*why);
    }
    let ours = TABLES
        .iter()
        .copied()
        .flatten()
        .any(|(known, ..)| *known == name);
    if ours || name == "print" || regorus::unstable::BUILTINS.contains_key(name) {
        Standing::Supported
    } else {
        Standing::Unknown
    }
}

/// The sentence about a refused builtin.
pub(crate) fn refused_message(name: &str, why: Why) -> String {
    refusal(name, why)
}
