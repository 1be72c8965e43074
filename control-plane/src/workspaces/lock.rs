//! Who holds a workspace: a person, who keeps runs waiting, or a run, which changes its state.

use domain::workspace::LockKind;

use super::error::WorkspaceError;
use crate::clock::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    pub kind: LockKind,
    pub holder_id: String,
    pub holder_name: String,
    pub reason: String,
    pub since: Timestamp,
}

impl Lock {
    /// May `holder` give this lock back without force?
    ///
    /// # Errors
    /// [`WorkspaceError::LockedByOther`]; clients match its text (`is locked by Run|User`).
    pub fn check_released_by(&self, kind: LockKind, holder: &str) -> Result<(), WorkspaceError> {
        if self.kind == kind && self.holder_id == holder {
            return Ok(());
        }
        Err(WorkspaceError::LockedByOther {
            holder: match self.kind {
                LockKind::Run => format!("Run {}", self.holder_id),
                LockKind::User => format!("User {}", self.holder_name),
            },
        })
    }
}
