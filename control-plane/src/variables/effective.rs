//! Which of several variables with one key counts. Pure, but for reading the rows.

use std::collections::BTreeMap;

use domain::Secret;
use domain::ids::{EnvironmentId, WorkspaceId};
use domain::workspace::VariableCategory;

use super::error::VariableError;
use super::model::Variable;
use super::service::open;
use super::store;
use crate::app::App;
use crate::context::Tenant;

/// A variable as a run is to receive it.
#[derive(Debug, Clone)]
pub struct EffectiveVariable {
    pub category: VariableCategory,
    pub key: String,
    pub value: Secret,
    pub hcl: bool,
    pub sensitive: bool,
    /// Whether it also counts before what is given for the run.
    pub is_final: bool,
    /// `account`, `environment` or `workspace`.
    pub origin: &'static str,
}

/// A variable that counts, and those that it beats.
#[derive(Debug, Clone)]
pub struct Standing {
    pub variable: Variable,
    /// The strongest first.
    pub overridden: Vec<Variable>,
}

/// Of each category and key the variable that counts: the final one of the highest owner, else the
/// one of the lowest. By category and key.
pub(super) fn stand(variables: Vec<Variable>) -> Vec<Standing> {
    let mut by_key: BTreeMap<(String, String), Vec<Variable>> = BTreeMap::new();
    for variable in variables {
        let key = (variable.category.to_string(), variable.key.clone());
        by_key.entry(key).or_default().push(variable);
    }
    by_key
        .into_values()
        .filter_map(|mut all| {
            all.sort_by_key(|it| match (it.is_final, it.owner.rank()) {
                (true, rank) => (0, rank),
                (false, rank) => (1, u8::MAX - rank),
            });
            let mut all = all.into_iter();
            let variable = all.next()?;
            let overridden = all.collect();
            Some(Standing {
                variable,
                overridden,
            })
        })
        .collect()
}

/// Every variable that a workspace has or inherits, with what it beats.
pub(super) async fn standing(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    workspace: &WorkspaceId,
) -> Result<Vec<Standing>, VariableError> {
    let mut variables = Vec::new();
    for row in store::applicable(conn, tenant, environment, workspace).await? {
        variables.push(open(app, conn, tenant, row).await?);
    }
    Ok(stand(variables))
}

/// What runs of the workspace are given, each key once. Final ones count before those given for the
/// run, the others behind them: the caller puts them in order (`docs/variables.md`).
///
/// For work of the control plane itself: the caller has authorised the run.
///
/// # Errors
/// The database's own, or a key's.
pub async fn effective(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    workspace: &WorkspaceId,
) -> Result<Vec<EffectiveVariable>, VariableError> {
    let standing = standing(app, conn, tenant, environment, workspace).await?;
    Ok(standing
        .into_iter()
        .map(|Standing { variable: it, .. }| EffectiveVariable {
            category: it.category,
            origin: it.owner.level(),
            key: it.key,
            value: it.value,
            hcl: it.hcl,
            sensitive: it.sensitive,
            is_final: it.is_final,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use domain::ids::VariableId;
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Timestamp;
    use crate::variables::Owner;

    fn variable(level: u8, is_final: bool) -> Variable {
        let now = Timestamp::UNIX_EPOCH;
        Variable {
            id: VariableId::random(),
            owner: match level {
                0 => Owner::Account,
                1 => Owner::Environment(EnvironmentId::random()),
                _ => Owner::Workspace(WorkspaceId::random()),
            },
            category: VariableCategory::Terraform,
            key: "a".to_owned(),
            value: Secret::new(level.to_string()),
            description: String::new(),
            hcl: false,
            sensitive: false,
            is_final,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    proptest! {
        #[test]
        fn the_highest_final_one_counts_else_the_lowest(
            finals in [proptest::option::of(any::<bool>()), proptest::option::of(any::<bool>()),
                proptest::option::of(any::<bool>())]
        ) {
            let levels = || (0u8..3).zip(finals);
            let all: Vec<Variable> = levels()
                .filter_map(|(level, is_final)| Some(variable(level, is_final?)))
                .collect();
            let count = all.len();
            let expected = levels()
                .find(|(_, is_final)| *is_final == Some(true))
                .or_else(|| levels().rfind(|(_, is_final)| is_final.is_some()))
                .map(|(level, _)| level);
            let standing = stand(all);
            prop_assert_eq!(standing.first().map(|it| it.variable.owner.rank()), expected);
            prop_assert_eq!(standing.iter().map(|it| 1 + it.overridden.len()).sum::<usize>(), count);
        }
    }
}
