//! What can go wrong with a state.

use super::rules::Refusal;
use crate::http::attributes::BodyError;
use crate::iam::Denied;
use crate::objects::ObjectError;
use crate::problem::{Fault, Kind, Problem};
use crate::workspaces::WorkspaceError;

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("the body can't be read: {detail}")]
    Malformed { detail: String },
    #[error("{detail}")]
    Invalid {
        pointer: &'static str,
        detail: String,
    },
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("the workspace is not locked; lock it before writing its state")]
    NotLocked,
    #[error("the workspace is locked by {holder}; its state can be written by its holder only")]
    HeldByOther { holder: String },
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the bytes have the MD5 {got}, announced was {announced}; send the state again")]
    WrongMd5 { announced: String, got: String },
    #[error(
        "the state says serial {serial} and lineage {lineage:?}, which is not what was announced"
    )]
    NotAsAnnounced { serial: i64, lineage: String },
    #[error("this is no state that can be kept: {reason}")]
    Unreadable { reason: String },
    #[error(
        "the state was encrypted by the client, so the server can't change or reduce it; read it \
         and push it with the client instead"
    )]
    EncryptedByClient,
    #[error("this state version takes no upload any more; make a new one")]
    UploadClosed,
    #[error("the state was kept in quarantine as {id}, because {reason}")]
    Quarantined { id: String, reason: String },
    #[error("only a state in quarantine can be promoted")]
    NotQuarantined,
    #[error("the workspace has no state to roll back from")]
    NothingToRollBack,
    #[error("the state was changed by someone else meanwhile; read it again and repeat")]
    Changed,
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl StateError {
    /// What the workspaces slice says, if it is that.
    fn of_workspace(&self) -> Option<&WorkspaceError> {
        if let Self::Workspace(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

impl From<db::Error> for StateError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for StateError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for StateError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "state.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Malformed { .. } => "state.malformed",
            Self::Invalid { .. } => "state.invalid",
            Self::Body(error) => error.code(),
            Self::NotLocked => "state.workspace-not-locked",
            Self::HeldByOther { .. } => "state.workspace-held-by-other",
            Self::Refused(Refusal::OtherLineage { .. }) => "state.other-lineage",
            Self::Refused(Refusal::OlderSerial { .. }) => "state.older-serial",
            Self::Refused(Refusal::SerialTaken { .. }) => "state.serial-taken",
            Self::WrongMd5 { .. } => "state.wrong-md5",
            Self::NotAsAnnounced { .. } => "state.not-as-announced",
            Self::Unreadable { .. } => "state.unreadable",
            Self::EncryptedByClient => "state.encrypted-by-client",
            Self::UploadClosed => "state.upload-closed",
            Self::Quarantined { .. } => "state.quarantined",
            Self::NotQuarantined => "state.not-quarantined",
            Self::NothingToRollBack => "state.nothing-to-roll-back",
            Self::Changed => "state.changed-meanwhile",
            Self::Workspace(error) => error.code(),
            Self::Object(error) => error.code(),
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Malformed { .. } => Kind::Malformed,
            Self::Invalid { .. }
            | Self::WrongMd5 { .. }
            | Self::NotAsAnnounced { .. }
            | Self::Unreadable { .. }
            | Self::EncryptedByClient => Kind::Invalid,
            Self::Body(error) => error.kind(),
            Self::NotLocked
            | Self::HeldByOther { .. }
            | Self::Refused(_)
            | Self::UploadClosed
            | Self::Quarantined { .. }
            | Self::NotQuarantined
            | Self::NothingToRollBack
            | Self::Changed => Kind::Conflict,
            Self::Workspace(error) => error.kind(),
            Self::Object(error) => error.kind(),
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        if let Self::Invalid { pointer, .. } = self {
            return Some(pointer);
        }
        if let Self::Body(error) = self {
            return error.pointer();
        }
        self.of_workspace().and_then(Problem::pointer)
    }

    fn denied(&self) -> Option<&Denied> {
        if let Self::Denied(denied) = self {
            return Some(denied);
        }
        self.of_workspace().and_then(Problem::denied)
    }
}
