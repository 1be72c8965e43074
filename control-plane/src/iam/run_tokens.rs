//! Tokens of runs: what the Terraform of a job reads registries and states with. Bound to run, job
//! and epoch; when the job is offered anew, the old token is worth nothing (see `authenticate`).

use db::Conn;
use domain::access::TokenKind;
use domain::ids::{JobId, RunId, TokenId};

use super::secret_token::TokenText;
use super::store;
use crate::clock::Timestamp;
use crate::context::Tenant;

/// Makes the token of a job under its present epoch, inside the transaction that leases it.
///
/// # Errors
/// The database's own.
pub async fn issue_run_token(
    conn: &mut Conn,
    tenant: &Tenant,
    run: &RunId,
    job: &JobId,
    epoch: i64,
    expires: Timestamp,
) -> Result<TokenText, db::Error> {
    let text = TokenText::random(TokenKind::Run);
    let now = conn.database_now().await?;
    let row = store::RunTokenRow {
        id: TokenId::random(),
        run,
        job,
        epoch,
        now,
        expires,
    };
    store::insert_run_token(conn, tenant, &row, &text).await?;
    Ok(text)
}

/// Takes the tokens of a job away: its end, or a new lease.
///
/// # Errors
/// The database's own.
pub async fn revoke_job_tokens(
    conn: &mut Conn,
    tenant: &Tenant,
    job: &JobId,
) -> Result<(), db::Error> {
    store::delete_job_tokens(conn, tenant, job).await
}
