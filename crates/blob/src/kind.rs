//! What an object is. Part of its path and of what its encryption is bound to.

use std::fmt;
use std::str::FromStr;

/// The kinds of objects. The words are stored: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlobKind {
    /// A Terraform state, as `terraform` wrote it.
    State,
    /// A state that was refused and is kept for people to look at.
    QuarantinedState,
    /// The archive of a configuration version.
    Configuration,
    /// A binary plan.
    Plan,
    /// A plan as `terraform show -json` prints it.
    JsonPlan,
    /// The working directory that travels from plan to apply.
    WorkingDirectory,
    /// The text log of a finished phase.
    Log,
    /// Terraform's JSON lines of a finished phase.
    JsonLog,
    /// The archive of a policy group's revision.
    Policies,
}

impl BlobKind {
    pub const ALL: [Self; 9] = [
        Self::State,
        Self::QuarantinedState,
        Self::Configuration,
        Self::Plan,
        Self::JsonPlan,
        Self::WorkingDirectory,
        Self::Log,
        Self::JsonLog,
        Self::Policies,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::QuarantinedState => "quarantined-state",
            Self::Configuration => "configuration",
            Self::Plan => "plan",
            Self::JsonPlan => "json-plan",
            Self::WorkingDirectory => "working-directory",
            Self::Log => "log",
            Self::JsonLog => "json-log",
            Self::Policies => "policies",
        }
    }
}

impl fmt::Display for BlobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no kind of object.
#[derive(Debug, thiserror::Error)]
#[error("{word:?} is not a kind of object")]
pub struct UnknownKind {
    word: String,
}

impl FromStr for BlobKind {
    type Err = UnknownKind;
    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| UnknownKind {
                word: word.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for kind in BlobKind::ALL {
            assert_eq!(kind.as_str().parse::<BlobKind>().unwrap(), kind);
        }
        assert!("States".parse::<BlobKind>().is_err());
    }
}
