//! Sets of permissions, as bits: deciding compares no words.

use crate::access::Scope;
use crate::permission::Permission;

const WORDS: usize = 4;

// Another word is needed here before the catalogue outgrows the set.
const _: () = assert!(Permission::ALL.len() <= WORDS * 64);

#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct PermissionSet([u64; WORDS]);

impl PermissionSet {
    pub const EMPTY: Self = Self([0; WORDS]);

    fn place(permission: Permission) -> (usize, u64) {
        let bit = permission as usize;
        (bit / 64, 1 << (bit % 64))
    }

    pub fn contains(&self, permission: Permission) -> bool {
        let (word, bit) = Self::place(permission);
        self.0[word] & bit != 0
    }

    pub fn insert(&mut self, permission: Permission) {
        let (word, bit) = Self::place(permission);
        self.0[word] |= bit;
    }

    pub fn remove(&mut self, permission: Permission) {
        let (word, bit) = Self::place(permission);
        self.0[word] &= !bit;
    }

    pub fn add(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own |= other;
        }
    }

    /// What is in this set and not in `other`.
    pub fn without(&self, other: &Self) -> Self {
        let mut left = *self;
        for (own, other) in left.0.iter_mut().zip(other.0) {
            *own &= !other;
        }
        left
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub fn iter(&self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .iter()
            .copied()
            .filter(|it| self.contains(*it))
    }

    /// What of it a grant at `scope` gives.
    pub fn at(&self, scope: Scope) -> Self {
        self.iter().filter(|it| it.applies_at(scope)).collect()
    }

    /// What a word of a role means: a permission, `workspaces:*`, `*:read`, or `*:*`. `None` for one
    /// that means nothing.
    pub fn of_pattern(pattern: &str) -> Option<Self> {
        let (resource, action) = pattern.split_once(':')?;
        let set: Self = Permission::ALL
            .iter()
            .copied()
            .filter(|it| resource == "*" || resource == it.resource())
            .filter(|it| action == "*" || action == it.action())
            .filter(|it| !it.scopes().is_empty())
            .collect();
        (!set.is_empty()).then_some(set)
    }

    /// What the words of a role mean together; those that mean nothing any more add nothing.
    pub fn of_patterns<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Self {
        let mut all = Self::EMPTY;
        for set in patterns.into_iter().filter_map(Self::of_pattern) {
            all.add(&set);
        }
        all
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        let mut set = Self::EMPTY;
        for permission in permissions {
            set.insert(permission);
        }
        set
    }
}

impl std::fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_against_the_catalogue() {
        let all = PermissionSet::of_pattern("*:*").unwrap();
        let grantable = |it: &&Permission| !it.scopes().is_empty();
        assert_eq!(
            all.iter().count(),
            Permission::ALL.iter().filter(grantable).count()
        );
        assert!(!all.contains(Permission::AccountsLimitRuns));
        let workspaces = PermissionSet::of_pattern("workspaces:*").unwrap();
        assert!(workspaces.contains(Permission::WorkspacesForceUnlock));
        assert!(!workspaces.contains(Permission::RunsRead));
        let reading = PermissionSet::of_pattern("*:read").unwrap();
        assert!(reading.contains(Permission::AuditRead));
        assert!(!reading.contains(Permission::PlansReadJson));
        for nothing in [
            "",
            "*",
            "runs",
            "runs:",
            "runs:fly",
            "*:fly",
            "ghosts:*",
            "accounts:limit-runs",
        ] {
            assert_eq!(PermissionSet::of_pattern(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_narrow_grant_gives_no_more_than_its_scope_can() {
        let all = PermissionSet::of_pattern("*:*").unwrap();
        let here = all.at(Scope::Workspace);
        assert!(here.contains(Permission::RunsApply));
        assert!(!here.contains(Permission::WorkspacesCreate));
        assert!(!here.contains(Permission::UsersUpdate));
        assert!(all.at(Scope::Account).without(&all).is_empty());
    }

    #[test]
    fn sets_are_added_and_compared() {
        let mut set: PermissionSet = [Permission::RunsRead, Permission::AuditRead]
            .into_iter()
            .collect();
        set.remove(Permission::RunsRead);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Permission::AuditRead]);
        assert!(!set.is_empty() && set.without(&set).is_empty());
    }
}
