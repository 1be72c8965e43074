//! What rules and approvals are.

use domain::approval::AppliesTo;
use domain::ids::{ApprovalId, ApprovalRuleId, EnvironmentId, RunId, TeamId, UserId, WorkspaceId};
use sqlx::FromRow;

use super::error::ApprovalError;
use crate::clock::Timestamp;

/// How many approvals one rule may ask for, and how many rules one environment or workspace may have
/// of its own.
pub(super) const MAX_NEEDED: i64 = 10;
pub(super) const MAX_RULES: i64 = 20;
/// Longest comment, in bytes.
pub(super) const MAX_COMMENT: usize = 2000;

/// So many must agree, of that team or of those who may apply.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ApprovalRule {
    pub id: ApprovalRuleId,
    pub environment_id: EnvironmentId,
    pub environment_name: String,
    /// Without one it holds in every workspace of the environment.
    pub workspace_id: Option<WorkspaceId>,
    pub team_id: Option<TeamId>,
    pub team_name: Option<String>,
    pub needed: i64,
    pub applies_to: AppliesTo,
    pub created_at: Timestamp,
}

impl ApprovalRule {
    /// # Errors
    /// [`ApprovalError::Invalid`] for a number out of bounds.
    pub(super) fn check(&self) -> Result<(), ApprovalError> {
        if (1..=MAX_NEEDED).contains(&self.needed) {
            return Ok(());
        }
        Err(ApprovalError::invalid(
            "count",
            format!("ask for 1 to {MAX_NEEDED} approvals"),
        ))
    }

    pub(super) fn is_about(&self, is_destroy: bool) -> bool {
        match self.applies_to {
            AppliesTo::All => true,
            AppliesTo::Destroys => is_destroy,
        }
    }
}

/// What a new rule is made of.
#[derive(Debug)]
pub(super) struct NewRule {
    pub team: Option<TeamId>,
    pub needed: i64,
    pub applies_to: AppliesTo,
}

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct RuleChange {
    pub team: Option<Option<TeamId>>,
    pub needed: Option<i64>,
    pub applies_to: Option<AppliesTo>,
}

/// Somebody's yes to a run. Whether it counts is decided when it is counted.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Approval {
    pub id: ApprovalId,
    pub run_id: RunId,
    pub user_id: UserId,
    pub username: String,
    pub comment: String,
    pub created_at: Timestamp,
}
