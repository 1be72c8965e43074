//! The roles that every account has and nobody can change.

use crate::permission::Permission;
use crate::permission_set::PermissionSet;
use crate::text_enum::text_enum;

text_enum! {
    pub enum SystemRole {
        Admin = "admin",
        User = "user",
        ReadOnly = "read-only",
        AccountMinAccess = "account-min-access",
        EnvironmentMinAccess = "environment-min-access",
    }
}

impl SystemRole {
    /// The words that the role is made of, as in a role of one's own.
    pub const fn patterns(self) -> &'static [&'static str] {
        match self {
            Self::Admin => &["*:*"],
            Self::User => &[
                "accounts:read",
                "roles:read",
                "users:read",
                "teams:read",
                "environments:read",
                "projects:read",
                "workspaces:*",
                "variables:*",
                "configuration-versions:*",
                "runs:*",
                "plans:*",
                "policy-checks:*",
                "state-versions:*",
                "cost-limits:read",
                "cost-prices:read",
                "approval-rules:read",
                "provider-configurations:*",
                "runner-pools:read",
                "policy-groups:read",
                "tokens:manage-own",
            ],
            // `*:read` without what shows secrets or other people's doings.
            Self::ReadOnly => &["*:read", "state-versions:read-outputs", "tokens:manage-own"],
            Self::AccountMinAccess => &["accounts:read", "roles:read", "teams:read", "users:read"],
            Self::EnvironmentMinAccess => &["environments:read"],
        }
    }

    /// What it leaves out of its patterns.
    pub const fn except(self) -> &'static [Permission] {
        match self {
            Self::ReadOnly => &[
                Permission::StateVersionsRead,
                Permission::AuditRead,
                Permission::AuditStreamsRead,
                Permission::AccessRulesRead,
            ],
            Self::Admin | Self::User | Self::AccountMinAccess | Self::EnvironmentMinAccess => &[],
        }
    }

    pub const fn description(self) -> &'static str {
        match self {
            Self::Admin => "Everything.",
            Self::User => "Works with workspaces, variables, runs and states; reads the rest.",
            Self::ReadOnly => "Looks at everything but secrets and the audit log, changes nothing.",
            Self::AccountMinAccess => "Sees the account, its people, teams and roles.",
            Self::EnvironmentMinAccess => "Sees that the environment is there.",
        }
    }

    pub fn permissions(self) -> PermissionSet {
        let mut set = PermissionSet::of_patterns(self.patterns().iter().copied());
        for permission in self.except() {
            set.remove(*permission);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_system_role_means_something() {
        for role in SystemRole::ALL {
            for pattern in role.patterns() {
                assert!(
                    PermissionSet::of_pattern(pattern).is_some(),
                    "{role}: {pattern}"
                );
            }
        }
    }

    #[test]
    fn a_reader_reads_no_secret_and_changes_nothing() {
        for permission in SystemRole::ReadOnly.permissions().iter() {
            let harmless = permission.action() == "read"
                || permission == Permission::StateVersionsReadOutputs
                || permission == Permission::TokensManageOwn;
            assert!(harmless, "{permission}");
            assert_ne!(permission, Permission::StateVersionsRead);
            assert_ne!(permission, Permission::AuditRead);
        }
    }
}
