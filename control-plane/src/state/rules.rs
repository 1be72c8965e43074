//! What may follow the current state. Pure.

use domain::access::ActorKind;
use domain::workspace::LockKind;

use super::error::StateError;
use crate::workspaces::{Workspace, WorkspaceError};

/// What tells one state from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity<'a> {
    pub serial: i64,
    /// Empty when unknown.
    pub lineage: &'a str,
    pub md5: &'a str,
}

/// Whether a state may become the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    /// It is the current one.
    Duplicate,
    Refuse(Refusal),
}

/// Why a state may not follow the current one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "the state of this workspace has the lineage {current:?}, and this one {given:?}: it was \
         made by another configuration. Push it by force only if it shall replace everything the \
         workspace knows"
    )]
    OtherLineage { current: String, given: String },
    #[error(
        "the state of this workspace is at serial {current} already, and this one has {given}: it \
         is older. Read the current state and make the change again"
    )]
    OlderSerial { current: i64, given: i64 },
    #[error(
        "this workspace has another state with serial {serial} already: somebody was quicker. Read \
         the current state and make the change again"
    )]
    SerialTaken { serial: i64 },
}

/// The rules of the contract: same lineage, rising serial (gaps are normal), the same state twice is
/// no error. `force` sets the rules aside.
pub(super) fn judge(current: Option<Identity<'_>>, new: Identity<'_>, force: bool) -> Verdict {
    let Some(current) = current else {
        return Verdict::Accept;
    };
    let known = !current.lineage.is_empty() && !new.lineage.is_empty();
    let same_lineage = !known || current.lineage == new.lineage;
    if same_lineage && current.serial == new.serial && current.md5 == new.md5 {
        return Verdict::Duplicate;
    }
    if force {
        return Verdict::Accept;
    }
    if !same_lineage {
        return Verdict::Refuse(Refusal::OtherLineage {
            current: current.lineage.to_owned(),
            given: new.lineage.to_owned(),
        });
    }
    match new.serial.cmp(&current.serial) {
        std::cmp::Ordering::Greater => Verdict::Accept,
        std::cmp::Ordering::Equal => Verdict::Refuse(Refusal::SerialTaken { serial: new.serial }),
        std::cmp::Ordering::Less => Verdict::Refuse(Refusal::OlderSerial {
            current: current.serial,
            given: new.serial,
        }),
    }
}

/// Whether `holder` may write the workspace's state: it must have locked it.
///
/// # Errors
/// [`StateError::NotLocked`], or who holds it instead.
pub(super) fn check_held(
    workspace: &Workspace,
    kind: ActorKind,
    holder: &str,
) -> Result<(), StateError> {
    let kind = match kind {
        ActorKind::Run => LockKind::Run,
        ActorKind::User
        | ActorKind::ServiceAccount
        | ActorKind::Team
        | ActorKind::Environment
        | ActorKind::Runner
        | ActorKind::System => LockKind::User,
    };
    let lock = workspace.lock.as_ref().ok_or(StateError::NotLocked)?;
    lock.check_released_by(kind, holder).map_err(|error| {
        if let WorkspaceError::LockedByOther { holder } = error {
            StateError::HeldByOther { holder }
        } else {
            error.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity<'a>(serial: i64, lineage: &'a str, md5: &'a str) -> Identity<'a> {
        Identity {
            serial,
            lineage,
            md5,
        }
    }

    #[test]
    fn serials_rise_within_a_lineage() {
        let current = Some(identity(5, "l", "a"));
        let ask = |serial, lineage, md5| judge(current, identity(serial, lineage, md5), false);
        assert_eq!(ask(6, "l", "b"), Verdict::Accept);
        assert_eq!(ask(60, "l", "b"), Verdict::Accept);
        assert_eq!(ask(5, "l", "a"), Verdict::Duplicate);
        assert_eq!(
            ask(5, "l", "b"),
            Verdict::Refuse(Refusal::SerialTaken { serial: 5 })
        );
        let older = Refusal::OlderSerial {
            current: 5,
            given: 4,
        };
        assert_eq!(ask(4, "l", "b"), Verdict::Refuse(older));
        assert!(matches!(
            ask(6, "m", "b"),
            Verdict::Refuse(Refusal::OtherLineage { .. })
        ));
        assert!(matches!(
            ask(5, "m", "a"),
            Verdict::Refuse(Refusal::OtherLineage { .. })
        ));
    }

    #[test]
    fn an_unknown_lineage_is_judged_by_serial_alone() {
        let current = Some(identity(5, "l", "a"));
        assert_eq!(judge(current, identity(6, "", "b"), false), Verdict::Accept);
        assert_eq!(
            judge(current, identity(5, "", "a"), false),
            Verdict::Duplicate
        );
    }

    proptest! {
        #[test]
        fn force_is_never_refused_and_without_a_state_all_is_welcome(
            serial in 0_i64..9, lineage in "[lm]?", md5 in "[ab]", force: bool,
        ) {
            let new = identity(serial, &lineage, &md5);
            let by_force = judge(Some(identity(5, "l", "a")), new, true);
            prop_assert!(!matches!(by_force, Verdict::Refuse(_)));
            prop_assert_eq!(judge(None, new, force), Verdict::Accept);
        }
    }
}
