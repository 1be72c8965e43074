//! What is known of policies and inputs, by digest.

use std::collections::HashMap;

use db::{Conn, Json};
use domain::ids::RunId;
use policy::{Denial, Outcome};

use super::model::Word;
use crate::clock::Timestamp;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

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

/// The outcomes that are known of these policies and inputs.
pub(super) async fn outcomes(
    conn: &mut Conn,
    tenant: &Tenant,
    policies: &[&str],
    inputs: &[&str],
) -> Result<HashMap<Pair, Outcome>> {
    if policies.is_empty() || inputs.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String, String)> = conn
        .build(
            "SELECT policy_digest, input_digest, outcome FROM policy_verdicts WHERE account_id = ",
        )
        .bind(tenant.account())
        .push_in(" AND policy_digest IN (", policies.iter().copied())
        .push_in(" AND input_digest IN (", inputs.iter().copied())
        .finish()
        .fetch_all()
        .await?;
    Ok(rows
        .into_iter()
        .map(|(policy, input, found)| ((policy, input), outcome(&found)))
        .collect())
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

/// Keeps a verdict; one that is there already stays: it says the same.
pub(super) async fn insert(
    conn: &mut Conn,
    tenant: &Tenant,
    (policy, input): &Pair,
    run: &RunId,
    word_said: &Word,
    now: Timestamp,
) -> Result<()> {
    conn.query(
        "INSERT INTO policy_verdicts (account_id, policy_digest, input_digest, run_id, outcome,
            messages, omitted, error, used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.account())
    .bind(policy)
    .bind(input)
    .bind(run)
    .bind(word(word_said.outcome))
    .bind(Json(&word_said.messages))
    .bind(word_said.omitted)
    .bind(&word_said.error)
    .bind(now)
    .execute()
    .await?;
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
