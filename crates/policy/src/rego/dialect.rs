//! The two dialects of Rego: v0, where rule bodies need no `if`, and v1, where they do.

use serde::{Deserialize, Serialize};

/// How sources are to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// As OPA before 1.0 reads them.
    V0,
    /// As OPA from 1.0 on reads them.
    V1,
    /// Each file as v1 if it parses so, else as v0.
    #[default]
    Auto,
}

impl Dialect {
    /// What to try, in this order. `true` is v0.
    pub(crate) fn tries(self) -> &'static [bool] {
        match self {
            Self::V0 => &[true],
            Self::V1 => &[false],
            Self::Auto => &[false, true],
        }
    }
}

/// No dialect has this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no dialect `{0}`: use v0, v1 or auto")]
pub struct UnknownDialect(String);

impl std::str::FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, UnknownDialect> {
        match name {
            "v0" => Ok(Self::V0),
            "v1" => Ok(Self::V1),
            "auto" => Ok(Self::Auto),
            other => Err(UnknownDialect(other.to_owned())),
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V0 => "v0",
            Self::V1 => "v1",
            Self::Auto => "auto",
        })
    }
}
