//! Rows of the matrix. Only fields that say something are rows: most policies pass most runs, before
//! and after, and one such field for each run and policy is most of what an analysis would write.

use std::collections::BTreeSet;

use db::Conn;
use domain::ids::{EnvironmentId, ImpactAnalysisId, RunId, WorkspaceId};
use domain::policy::Change;

use super::cell;
use super::model::{Compared, Field, FieldFilter, Said, Word};
use super::verdict_store;
use crate::context::Tenant;
use crate::http::page::{Page, Paged};

type Result<T> = std::result::Result<T, db::Error>;

/// Rows of one statement: SQLite takes some ten thousand values.
const AT_ONCE: usize = 500;
/// How many messages of a verdict are shown; the rest is counted.
const SHOWN: usize = 50;

/// A field that is about to be written.
#[derive(Debug)]
pub(super) struct NewField<'a> {
    pub(super) policy: &'a str,
    pub(super) change: Change,
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    pub(super) before_error: Option<String>,
    pub(super) after_error: Option<String>,
}

impl NewField<'_> {
    /// Whether there is nothing to say: it passes as it passed.
    fn is_quiet(&self) -> bool {
        let passed = |result: &str, error: &Option<String>| result == "passed" && error.is_none();
        self.change == Change::Unchanged
            && passed(self.before, &self.before_error)
            && passed(self.after, &self.after_error)
    }
}

/// Writes a run's fields, but for the quiet ones.
pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
    run: &RunId,
    fields: &[NewField<'_>],
) -> Result<()> {
    let fields: Vec<&NewField<'_>> = fields.iter().filter(|field| !field.is_quiet()).collect();
    for part in fields.chunks(AT_ONCE) {
        let mut statement = conn.build(
            "INSERT INTO impact_results (analysis_id, run_id, policy, account_id, position, change,
                before_result, after_result, before_error, after_error) VALUES ",
        );
        for (at, field) in part.iter().enumerate() {
            statement = statement
                .push(if at == 0 { "(" } else { ", (" })
                .bind(id)
                .push(", ")
                .bind(run)
                .push(", ")
                .bind(field.policy)
                .push(", ")
                .bind(tenant.account())
                .push(", ")
                .bind(cell::position(field.change))
                .push(", ")
                .bind(field.change)
                .push(", ")
                .bind(field.before)
                .push(", ")
                .bind(field.after)
                .push(", ")
                .bind(&field.before_error)
                .push(", ")
                .bind(&field.after_error)
                .push(")");
        }
        statement
            .push(" ON CONFLICT DO NOTHING")
            .finish()
            .execute()
            .await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    run_id: RunId,
    environment_id: EnvironmentId,
    environment_name: String,
    workspace_id: WorkspaceId,
    workspace_name: String,
    policy: String,
    change: Change,
    before_result: String,
    after_result: String,
    before_error: Option<String>,
    after_error: Option<String>,
    before_input: Option<String>,
    after_input: Option<String>,
}

fn filtered<'c>(
    statement: db::Builder<'c>,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
    filter: &FieldFilter,
) -> db::Builder<'c> {
    let mut statement = statement
        .push(
            " FROM impact_runs r JOIN impact_policies p ON p.analysis_id = r.analysis_id
                LEFT JOIN impact_results f ON f.analysis_id = r.analysis_id
                    AND f.run_id = r.run_id AND f.policy = p.name
             WHERE r.status = 'judged' AND r.account_id = ",
        )
        .bind(tenant.account())
        .push(" AND r.analysis_id = ")
        .bind(id)
        .push_in(
            " AND COALESCE(f.change, 'unchanged') IN (",
            filter.changes.iter().copied(),
        )
        .push_in(" AND p.name IN (", &filter.policies)
        .push_in(
            " AND COALESCE(f.after_result, 'passed') IN (",
            &filter.results,
        );
    if !filter.environments.is_empty() {
        statement = statement
            .push_in(" AND (r.environment_id IN (", &filter.environments)
            .push_in(" OR r.environment_name IN (", &filter.environments)
            .push(")");
    }
    statement
}

/// Fields in the order of the matrix, with what was said.
pub(super) async fn list(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &ImpactAnalysisId,
    policies: &[Compared],
    filter: &FieldFilter,
    page: Page,
) -> Result<Paged<Field>> {
    let total = filtered(conn.build("SELECT COUNT(*)"), tenant, id, filter)
        .finish()
        .fetch_scalar()
        .await?;
    let select = "SELECT r.run_id, r.environment_id, r.environment_name, r.workspace_id,
        r.workspace_name, p.name AS policy, COALESCE(f.change, 'unchanged') AS change,
        COALESCE(f.before_result, 'passed') AS before_result,
        COALESCE(f.after_result, 'passed') AS after_result, f.before_error, f.after_error,
        r.before_input, r.after_input";
    let rows: Vec<Row> = filtered(conn.build(select), tenant, id, filter)
        .push(
            " ORDER BY COALESCE(f.position, 3), r.environment_name, r.workspace_name, r.run_id,
                p.name LIMIT ",
        )
        .bind(page.limit())
        .push(" OFFSET ")
        .bind(page.offset())
        .finish()
        .fetch_all()
        .await?;
    let items = with_words(conn, tenant, policies, rows).await?;
    Ok(Paged { items, total })
}

/// Digests of a field's policy and input, of one side.
type Digests<'a> = Option<(&'a str, &'a str)>;

fn digests<'a>(policies: &'a [Compared], row: &'a Row) -> (Digests<'a>, Digests<'a>) {
    let Some(policy) = policies.iter().find(|it| it.name == row.policy) else {
        return (None, None);
    };
    let before = policy.before.as_ref().map(|it| it.digest.as_str());
    let after = policy.after.as_ref().map(|it| it.digest.as_str());
    (
        before.zip(row.before_input.as_deref()),
        after.zip(row.after_input.as_deref()),
    )
}

async fn with_words(
    conn: &mut Conn,
    tenant: &Tenant,
    policies: &[Compared],
    rows: Vec<Row>,
) -> Result<Vec<Field>> {
    let (mut of_policies, mut of_inputs) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        let (before, after) = digests(policies, row);
        let said = [(&row.before_result, before), (&row.after_result, after)];
        let speaking = said.into_iter().filter(|(result, _)| *result != "passed");
        for (policy, input) in speaking.filter_map(|(_, digests)| digests) {
            of_policies.insert(policy);
            of_inputs.insert(input);
        }
    }
    let of_policies: Vec<&str> = of_policies.into_iter().collect();
    let of_inputs: Vec<&str> = of_inputs.into_iter().collect();
    let words = verdict_store::words(conn, tenant, &of_policies, &of_inputs).await?;
    let word = |digests: Digests<'_>| {
        let (policy, input) = digests?;
        words.get(&(policy.to_owned(), input.to_owned()))
    };
    Ok(rows
        .iter()
        .map(|row| {
            let (before, after) = digests(policies, row);
            Field {
                run_id: row.run_id.clone(),
                environment_id: row.environment_id.clone(),
                environment_name: row.environment_name.clone(),
                workspace_id: row.workspace_id.clone(),
                workspace_name: row.workspace_name.clone(),
                policy: row.policy.clone(),
                change: row.change,
                before: said(&row.before_result, row.before_error.as_ref(), word(before)),
                after: said(&row.after_result, row.after_error.as_ref(), word(after)),
            }
        })
        .collect())
}

fn said(result: &str, error: Option<&String>, word: Option<&Word>) -> Said {
    let mut said = Said {
        result: result.to_owned(),
        error: error.cloned(),
        ..Said::default()
    };
    if let Some(word) = word.filter(|_| said.error.is_none()) {
        said.error.clone_from(&word.error);
        said.messages = word.messages.iter().take(SHOWN).cloned().collect();
        let cut = word.messages.len().saturating_sub(SHOWN);
        said.omitted = word.omitted + i64::try_from(cut).unwrap_or(0);
    }
    said
}
