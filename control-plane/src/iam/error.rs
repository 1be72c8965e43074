//! What can go wrong with users, tokens and signing in.

use super::authorize::Denied;
use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum IamError {
    #[error("not found, or not visible to this token")]
    NotFound,
    #[error("{0}")]
    Denied(Box<Denied>),
    #[error("{detail}")]
    Invalid { field: &'static str, detail: String },
    #[error("a user named {username:?} exists already; choose another name")]
    UsernameTaken { username: String },
    #[error("Name has already been taken")]
    TeamNameTaken,
    #[error("nobody removes themselves: ask another administrator of the account")]
    OwnMembership,
    #[error(
        "this user belongs to another account too, so only they themselves or the operator of the \
         installation can do this"
    )]
    SharedUser,
    #[error("an approval rule names this team; change or delete the rule first")]
    TeamInUse,
    #[error("a role of that name exists already; choose another name")]
    RoleNameTaken,
    #[error("roles of the system can't be changed; make one of your own")]
    SystemRole,
    #[error("somebody is granted this role; take the grants away first")]
    RoleInUse,
    #[error("this is granted already")]
    GrantedAlready,
    #[error("an account has at most 500 roles; delete some first")]
    TooManyRoles,
    #[error("an account has at most 100000 grants; grant to teams, or on wider scopes")]
    TooManyGrants,
    #[error(
        "nobody hands out what they don't have there themselves: {permissions}; ask somebody who has it"
    )]
    BeyondOwn { permissions: String },
    #[error("a service account of that name exists already; choose another name")]
    ServiceAccountNameTaken,
    #[error(
        "your own address ({address}) is in none of these networks, so this would lock you out; add \
         it, or set `force`"
    )]
    WouldLockOut { address: String },
    #[error("the account's rules don't allow this token from your address; use an allowed network")]
    AddressNotAllowed,
    #[error("this would leave the account without an administrator; make another one first")]
    LastAdministrator,
    #[error("this installation has its first account already; sign in as one of its users")]
    AlreadySetUp,
    #[error("the first environment can't be made: {detail}")]
    FirstEnvironment { detail: String },
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<db::Error> for IamError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for IamError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl Problem for IamError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "iam.not-found",
            Self::Denied(denied) => denied.code(),
            Self::Invalid { .. } => "iam.invalid",
            Self::UsernameTaken { .. } => "iam.username-taken",
            Self::TeamNameTaken => "iam.team-name-taken",
            Self::OwnMembership => "iam.own-membership",
            Self::SharedUser => "iam.shared-user",
            Self::TeamInUse => "iam.team-in-use",
            Self::RoleNameTaken => "iam.role-name-taken",
            Self::SystemRole => "iam.system-role",
            Self::RoleInUse => "iam.role-in-use",
            Self::GrantedAlready => "iam.granted-already",
            Self::TooManyRoles => "iam.too-many-roles",
            Self::TooManyGrants => "iam.too-many-grants",
            Self::BeyondOwn { .. } => "iam.beyond-own",
            Self::ServiceAccountNameTaken => "iam.service-account-name-taken",
            Self::WouldLockOut { .. } => "iam.would-lock-out",
            Self::AddressNotAllowed => "access.address-not-allowed",
            Self::LastAdministrator => "iam.last-administrator",
            Self::AlreadySetUp => "iam.already-set-up",
            Self::FirstEnvironment { .. } => "iam.first-environment",
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Denied(denied) => denied.kind(),
            Self::Invalid { .. }
            | Self::UsernameTaken { .. }
            | Self::TeamNameTaken
            | Self::RoleNameTaken
            | Self::ServiceAccountNameTaken
            | Self::TooManyRoles
            | Self::TooManyGrants
            | Self::FirstEnvironment { .. } => Kind::Invalid,
            Self::BeyondOwn { .. } | Self::AddressNotAllowed => Kind::Forbidden,
            Self::AlreadySetUp
            | Self::OwnMembership
            | Self::SharedUser
            | Self::TeamInUse
            | Self::SystemRole
            | Self::RoleInUse
            | Self::GrantedAlready
            | Self::WouldLockOut { .. }
            | Self::LastAdministrator => Kind::Conflict,
            Self::Fault(fault) => fault.kind(),
        }
    }

    fn pointer(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            Self::UsernameTaken { .. } => Some("/data/attributes/username"),
            Self::TeamNameTaken | Self::RoleNameTaken | Self::ServiceAccountNameTaken => {
                Some("/data/attributes/name")
            }
            Self::NotFound
            | Self::Denied(_)
            | Self::AlreadySetUp
            | Self::OwnMembership
            | Self::SharedUser
            | Self::TeamInUse
            | Self::SystemRole
            | Self::RoleInUse
            | Self::GrantedAlready
            | Self::TooManyRoles
            | Self::TooManyGrants
            | Self::BeyondOwn { .. }
            | Self::WouldLockOut { .. }
            | Self::AddressNotAllowed
            | Self::LastAdministrator
            | Self::FirstEnvironment { .. }
            | Self::Fault(_) => None,
        }
    }

    fn denied(&self) -> Option<&Denied> {
        if let Self::Denied(denied) = self {
            Some(denied)
        } else {
            None
        }
    }
}
