//! What a variable is, to whom it belongs, and which keys and values it may have.

use domain::Secret;
use domain::ids::{EnvironmentId, VariableId, WorkspaceId};
use domain::workspace::VariableCategory;

use super::error::VariableError;
use crate::clock::Timestamp;

const MAX_KEY: usize = 256;
const MAX_DESCRIPTION: usize = 512;
/// Linux passes no longer string to a process (`MAX_ARG_STRLEN`, 128 KiB, less the name).
const MAX_ENVIRONMENT_VALUE: usize = 120 * 1024;
const MAX_TERRAFORM_VALUE: usize = 512 * 1024;
/// How many variables an account, an environment or a workspace may have.
pub(super) const MAX_VARIABLES: i64 = 1000;

/// To whom a variable belongs. Workspaces inherit what is above them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Account,
    Environment(EnvironmentId),
    Workspace(WorkspaceId),
}

impl Owner {
    /// `account`, `environment` or `workspace`.
    pub fn level(&self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Environment(_) => "environment",
            Self::Workspace(_) => "workspace",
        }
    }

    /// The higher the rank, the nearer to the run.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Account => 0,
            Self::Environment(_) => 1,
            Self::Workspace(_) => 2,
        }
    }

    pub fn environment(&self) -> Option<&EnvironmentId> {
        match self {
            Self::Environment(id) => Some(id),
            Self::Account | Self::Workspace(_) => None,
        }
    }

    pub fn workspace(&self) -> Option<&WorkspaceId> {
        match self {
            Self::Workspace(id) => Some(id),
            Self::Account | Self::Environment(_) => None,
        }
    }
}

/// A variable, its value opened.
#[derive(Debug, Clone)]
pub struct Variable {
    pub id: VariableId,
    pub owner: Owner,
    pub category: VariableCategory,
    pub key: String,
    pub value: Secret,
    pub description: String,
    /// Whether the value is an HCL expression rather than a string.
    pub hcl: bool,
    /// Whether the value is never shown again.
    pub sensitive: bool,
    /// Whether nothing below its owner, and no run, may give the key another value.
    pub is_final: bool,
    /// Raised by every change.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a create asks for.
#[derive(Debug)]
pub struct NewVariable {
    pub category: VariableCategory,
    pub key: String,
    pub value: Secret,
    pub description: String,
    pub hcl: bool,
    pub sensitive: bool,
    pub is_final: bool,
}

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub struct VariableChange {
    pub category: Option<VariableCategory>,
    pub key: Option<String>,
    pub value: Option<Secret>,
    pub description: Option<String>,
    pub hcl: Option<bool>,
    pub sensitive: Option<bool>,
    pub is_final: Option<bool>,
}

impl Variable {
    /// This variable with `change` made.
    ///
    /// # Errors
    /// [`VariableError::StaysSensitive`] when it would show a value that was sensitive, else
    /// [`VariableError::Invalid`].
    pub fn with(mut self, change: VariableChange) -> Result<Self, VariableError> {
        if self.sensitive && change.sensitive == Some(false) && change.value.is_none() {
            return Err(VariableError::StaysSensitive);
        }
        self.category = change.category.unwrap_or(self.category);
        self.key = change.key.unwrap_or(self.key);
        self.value = change.value.unwrap_or(self.value);
        self.description = change.description.unwrap_or(self.description);
        self.hcl = change.hcl.unwrap_or(self.hcl);
        self.sensitive = change.sensitive.unwrap_or(self.sensitive);
        self.is_final = change.is_final.unwrap_or(self.is_final);
        self.check()?;
        Ok(self)
    }

    /// # Errors
    /// [`VariableError::Invalid`], naming the field and what it may be.
    pub fn check(&self) -> Result<(), VariableError> {
        let invalid = |field, detail: &str| Err(VariableError::invalid(field, detail));
        if self.key.is_empty() {
            return invalid("key", "Key can't be blank");
        }
        if self.key.len() > MAX_KEY {
            return invalid("key", "use at most 256 characters");
        }
        if self.description.len() > MAX_DESCRIPTION {
            return invalid("description", "use at most 512 bytes");
        }
        match self.category {
            VariableCategory::Terraform if !is_terraform_name(&self.key) => invalid(
                "key",
                "use letters, digits, `_` and `-`, beginning with a letter or `_`",
            ),
            VariableCategory::Environment if !is_environment_name(&self.key) => invalid(
                "key",
                "use letters, digits and `_`, not beginning with a digit",
            ),
            VariableCategory::Environment if self.hcl => invalid(
                "hcl",
                "environment variables are plain text; `hcl` is for Terraform variables",
            ),
            VariableCategory::Environment if self.value.expose().len() > MAX_ENVIRONMENT_VALUE => {
                invalid("value", "use at most 120 KiB for an environment variable")
            }
            VariableCategory::Terraform if self.value.expose().len() > MAX_TERRAFORM_VALUE => {
                invalid("value", "use at most 512 KiB")
            }
            VariableCategory::Terraform | VariableCategory::Environment => Ok(()),
        }
    }

    /// The value, if it may be shown.
    pub fn shown_value(&self) -> Option<&str> {
        (!self.sensitive).then(|| self.value.expose().as_str())
    }
}

fn is_terraform_name(key: &str) -> bool {
    key.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

fn is_environment_name(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod unit {
    use super::*;

    fn variable(category: VariableCategory, key: &str) -> Variable {
        let now = Timestamp::UNIX_EPOCH;
        Variable {
            id: VariableId::random(),
            owner: Owner::Workspace(WorkspaceId::random()),
            category,
            key: key.to_owned(),
            value: Secret::new("value".to_owned()),
            description: String::new(),
            hcl: false,
            sensitive: false,
            is_final: false,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn keys_are_what_their_receiver_can_name() {
        for good in ["region", "_x", "instance-type", "größe"] {
            assert!(
                variable(VariableCategory::Terraform, good).check().is_ok(),
                "{good}"
            );
        }
        for bad in ["", "1a", "a b", "-a", "a.b", "a=b"] {
            assert!(
                variable(VariableCategory::Terraform, bad).check().is_err(),
                "{bad}"
            );
        }
        for good in ["AWS_REGION", "_x", "a1"] {
            assert!(
                variable(VariableCategory::Environment, good)
                    .check()
                    .is_ok(),
                "{good}"
            );
        }
        for bad in ["", "1A", "A-B", "A=B", "Ä"] {
            assert!(
                variable(VariableCategory::Environment, bad)
                    .check()
                    .is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn environment_variables_are_no_hcl() {
        let hcl = Variable {
            hcl: true,
            ..variable(VariableCategory::Environment, "A")
        };
        assert!(hcl.check().is_err());
    }

    #[test]
    fn a_sensitive_value_is_never_uncovered() {
        let secret = || Variable {
            sensitive: true,
            ..variable(VariableCategory::Terraform, "a")
        };
        assert_eq!(secret().shown_value(), None);
        let uncover = VariableChange {
            sensitive: Some(false),
            ..VariableChange::default()
        };
        assert!(matches!(
            secret().with(uncover),
            Err(VariableError::StaysSensitive)
        ));
        let replace = VariableChange {
            sensitive: Some(false),
            value: Some(Secret::new("new".to_owned())),
            ..VariableChange::default()
        };
        assert_eq!(secret().with(replace).unwrap().shown_value(), Some("new"));
    }
}
