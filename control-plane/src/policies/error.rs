//! What can go wrong with a policy group.

use domain::policy::PolicySource;
use policy::worker::WorkerError;

use crate::fetches::FetchError;
use crate::iam::Denied;
use crate::objects::ObjectError;
use crate::problem::{Fault, Kind, Problem};
use crate::workspaces::WorkspaceError;

#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("policy group not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
    #[error("{what} has already been taken")]
    NameTaken {
        what: &'static str,
        field: &'static str,
    },
    #[error("there are {limit} {what} already, which is as many as may be; delete some first")]
    TooMany { what: &'static str, limit: i64 },
    #[error("the policy group is enforced or bound to something; unlink it first")]
    Linked,
    #[error("the policy is part of a policy set; take it out first")]
    InUse,
    #[error("the files of this group come from: {source_word}; {remedy}")]
    OtherSource {
        source_word: PolicySource,
        remedy: &'static str,
    },
    #[error("this version has its archive already; create another one")]
    AlreadyUploaded,
    #[error("the archive can't be used: {reason}")]
    BadArchive { reason: String },
    #[error("a sensitive parameter can only be made visible together with a new value")]
    StaysSensitive,
    #[error("it was changed by someone else meanwhile; read it again and repeat")]
    Changed,
    #[error("the group has no files yet; upload some, or put policies into it")]
    NoFiles,
    #[error("this data document has no `source`: give it one, or upload its body")]
    NoSource,
    #[error("the policy worker can't be used")]
    Worker(#[from] WorkerError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl PolicyError {
    /// A wrong attribute `field` (its name on the wire).
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/attributes/{field}"),
            detail: detail.into(),
        }
    }

    /// A wrong relationship.
    pub fn invalid_relation(name: &str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            pointer: format!("/data/relationships/{name}"),
            detail: detail.into(),
        }
    }

    pub(super) fn bad_archive(reason: String) -> Self {
        Self::BadArchive { reason }
    }

    /// What an insert or update of something with a unique name came to.
    pub(super) fn of_write(what: &'static str, field: &'static str) -> impl Fn(db::Error) -> Self {
        move |error| {
            if error.is_unique_violation() {
                Self::NameTaken { what, field }
            } else {
                error.into()
            }
        }
    }
}

impl From<db::Error> for PolicyError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for PolicyError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "policies.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "policies.invalid",
            Self::NameTaken { .. } => "policies.name-taken",
            Self::TooMany { .. } => "policies.too-many",
            Self::Linked => "policies.linked",
            Self::InUse => "policies.in-use",
            Self::OtherSource { .. } => "policies.other-source",
            Self::AlreadyUploaded => "policies.already-uploaded",
            Self::BadArchive { .. } => "policies.bad-archive",
            Self::StaysSensitive => "policies.stays-sensitive",
            Self::Changed => "policies.changed-meanwhile",
            Self::NoFiles => "policies.no-files",
            Self::NoSource => "policies.no-source",
            Self::Worker(_) => "policies.no-worker",
            Self::Workspace(error) => error.code(),
            Self::Fetch(error) => error.code(),
            Self::Object(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. }
            | Self::NameTaken { .. }
            | Self::TooMany { .. }
            | Self::BadArchive { .. }
            | Self::StaysSensitive => Kind::Invalid,
            Self::Linked
            | Self::InUse
            | Self::OtherSource { .. }
            | Self::AlreadyUploaded
            | Self::Changed
            | Self::NoFiles
            | Self::NoSource => Kind::Conflict,
            Self::Worker(_) => Kind::Internal,
            Self::Workspace(error) => error.kind(),
            Self::Fetch(error) => error.kind(),
            Self::Object(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        match self {
            Self::Invalid { pointer, .. } => Some(pointer),
            Self::NameTaken { field, .. } => Some(field),
            Self::Workspace(error) => error.pointer(),
            Self::StaysSensitive => Some("/data/attributes/sensitive"),
            Self::NotFound
            | Self::Denied(_)
            | Self::TooMany { .. }
            | Self::Linked
            | Self::InUse
            | Self::OtherSource { .. }
            | Self::AlreadyUploaded
            | Self::BadArchive { .. }
            | Self::Changed
            | Self::NoFiles
            | Self::NoSource
            | Self::Worker(_)
            | Self::Object(_)
            | Self::Fetch(_)
            | Self::Fault(_) => None,
        }
    }

    fn denied(&self) -> Option<&Denied> {
        if let Self::Denied(denied) = self {
            return Some(denied);
        }
        None
    }
}
