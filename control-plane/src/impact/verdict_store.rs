//! What is known of policies and inputs, by digest.

use std::collections::HashMap;

use db::{Conn, Json};
use domain::ids::RunId;
use policy::{Denial, Outcome};

use super::model::Word;
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

/// Rows of one statement.
const AT_ONCE: usize = 100;

/// Digest of a policy, digest of an input.
pub(super) type Pair = (String, String);

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Errored => "errored",
    }
}

/// A word that nobody wrote never passes.
fn outcome(word: &str) -> Outcome {
    match word {
        "passed" => Outcome::Passed,
        "failed" => Outcome::Failed,
        _ => Outcome::Errored,
    }
}

/// The outcomes that are known of these policies and inputs. What policies say of all of them, or
/// of none, is what is asked for as a rule: then only what doesn't pass is fetched.
pub(super) async fn outcomes(
    conn: &mut Conn,
    tenant: &Tenant,
    policies: &[&str],
    inputs: &[&str],
) -> Result<HashMap<Pair, Outcome>> {
    if policies.is_empty() || inputs.is_empty() {
        return Ok(HashMap::new());
    }
    let counts: Vec<(String, i64)> = conn
        .build("SELECT policy_digest, COUNT(*) FROM policy_verdicts WHERE account_id = ")
        .bind(tenant.account())
        .push_in(" AND policy_digest IN (", policies.iter().copied())
        .push_in(" AND input_digest IN (", inputs.iter().copied())
        .push(" GROUP BY policy_digest")
        .finish()
        .fetch_all()
        .await?;
    let whole = |count: i64| usize::try_from(count).is_ok_and(|count| count == inputs.len());
    let (whole, partly): (Vec<_>, Vec<_>) = counts.iter().partition(|(_, count)| whole(*count));
    let mut known = HashMap::new();
    for (policy, _) in &whole {
        for input in inputs {
            known.insert((policy.clone(), (*input).to_owned()), Outcome::Passed);
        }
    }
    let whole: Vec<&str> = whole.iter().map(|(policy, _)| policy.as_str()).collect();
    let partly: Vec<&str> = partly.iter().map(|(policy, _)| policy.as_str()).collect();
    for (policies, condition) in [(whole, " AND outcome <> 'passed'"), (partly, "")] {
        if policies.is_empty() {
            continue;
        }
        let rows: Vec<(String, String, String)> = conn
            .build(
                "SELECT policy_digest, input_digest, outcome FROM policy_verdicts
                 WHERE account_id = ",
            )
            .bind(tenant.account())
            .push_in(" AND policy_digest IN (", policies)
            .push_in(" AND input_digest IN (", inputs.iter().copied())
            .push(condition)
            .finish()
            .fetch_all()
            .await?;
        known.extend(
            rows.into_iter()
                .map(|(policy, input, found)| ((policy, input), outcome(&found))),
        );
    }
    Ok(known)
}

/// How many of these policies were never asked about anything.
pub(super) async fn unheard(conn: &mut Conn, tenant: &Tenant, policies: &[&str]) -> Result<usize> {
    if policies.is_empty() {
        return Ok(0);
    }
    let heard: Vec<(String,)> = conn
        .build("SELECT DISTINCT policy_digest FROM policy_verdicts WHERE account_id = ")
        .bind(tenant.account())
        .push_in(" AND policy_digest IN (", policies.iter().copied())
        .finish()
        .fetch_all()
        .await?;
    Ok(policies.len().saturating_sub(heard.len()))
}

#[derive(sqlx::FromRow)]
struct Row {
    policy_digest: String,
    input_digest: String,
    outcome: String,
    #[sqlx(json)]
    messages: Vec<Denial>,
    omitted: i64,
    error: Option<String>,
}

/// Everything that is known of these policies and inputs, but for those that simply pass.
pub(super) async fn words(
    conn: &mut Conn,
    tenant: &Tenant,
    policies: &[&str],
    inputs: &[&str],
) -> Result<HashMap<Pair, Word>> {
    if policies.is_empty() || inputs.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = conn
        .build(
            "SELECT policy_digest, input_digest, outcome, messages, omitted, error
             FROM policy_verdicts WHERE outcome <> 'passed' AND account_id = ",
        )
        .bind(tenant.account())
        .push_in(" AND policy_digest IN (", policies.iter().copied())
        .push_in(" AND input_digest IN (", inputs.iter().copied())
        .finish()
        .fetch_all::<Row>()
        .await?;
    let read = |row: Row| {
        let word = Word {
            outcome: outcome(&row.outcome),
            messages: row.messages,
            omitted: row.omitted,
            error: row.error,
        };
        ((row.policy_digest, row.input_digest), word)
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Keeps verdicts; one that is there already stays: it says the same.
pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    fresh: &HashMap<Pair, (RunId, Word)>,
    now: Timestamp,
) -> Result<()> {
    let fresh: Vec<_> = fresh.iter().collect();
    for part in fresh.chunks(AT_ONCE) {
        let mut statement = conn.build(
            "INSERT INTO policy_verdicts (account_id, policy_digest, input_digest, run_id, outcome,
                messages, omitted, error, used_at) VALUES ",
        );
        for (at, ((policy, input), (run, said))) in part.iter().enumerate() {
            statement = statement
                .push(if at == 0 { "(" } else { ", (" })
                .bind(tenant.account())
                .push(", ")
                .bind(policy)
                .push(", ")
                .bind(input)
                .push(", ")
                .bind(run)
                .push(", ")
                .bind(word(said.outcome))
                .push(", ")
                .bind(Json(&said.messages))
                .push(", ")
                .bind(said.omitted)
                .push(", ")
                .bind(&said.error)
                .push(", ")
                .bind(now)
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

/// Remembers that these were used; not more often than `unless_since` says, because a row that is
/// written anew costs more than one that is read.
pub(super) async fn touch(
    conn: &mut Conn,
    tenant: &Tenant,
    policies: &[&str],
    inputs: &[&str],
    now: Timestamp,
    unless_since: Timestamp,
) -> Result<()> {
    if policies.is_empty() || inputs.is_empty() {
        return Ok(());
    }
    conn.build("UPDATE policy_verdicts SET used_at = ")
        .bind(now)
        .push(" WHERE account_id = ")
        .bind(tenant.account())
        .push(" AND used_at < ")
        .bind(unless_since)
        .push_in(" AND policy_digest IN (", policies.iter().copied())
        .push_in(" AND input_digest IN (", inputs.iter().copied())
        .finish()
        .execute()
        .await?;
    Ok(())
}

/// Deletes, of all accounts, what was not used since `before`, and what no analysis speaks of.
pub(super) async fn sweep(conn: &mut Conn, before: Timestamp) -> Result<u64> {
    let old = conn
        .query("DELETE FROM policy_verdicts WHERE used_at < $1")
        .bind(before)
        .execute()
        .await?;
    let orphans = conn
        .query(
            "DELETE FROM policy_verdicts WHERE NOT EXISTS (SELECT 1 FROM impact_policies p
                WHERE p.account_id = policy_verdicts.account_id
                    AND p.before_digest = policy_verdicts.policy_digest)
                AND NOT EXISTS (SELECT 1 FROM impact_policies p
                WHERE p.account_id = policy_verdicts.account_id
                    AND p.after_digest = policy_verdicts.policy_digest)",
        )
        .execute()
        .await?;
    Ok(old + orphans)
}
