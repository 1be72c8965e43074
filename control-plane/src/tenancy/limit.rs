//! How many runs an account may have at work: the operator's to say, so there is no route for it.
//! Nobody is told: the dispatcher looks at the queues every few seconds anyway.

use domain::permission::Permission;
use serde_json::json;

use super::error::TenancyError;
use super::model::Account;
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::{Actor, Context};
use crate::iam::{Target, authorize};

/// Gives the account with this name, or else the default one, a limit of its own: 0 is any number,
/// `None` what the installation says.
///
/// # Errors
/// [`TenancyError::NotFound`] without such an account.
pub async fn limit_account(
    app: &App,
    name: Option<&str>,
    limit: Option<u32>,
) -> Result<Account, TenancyError> {
    let mut tx = app.db.begin().await?;
    let found = match name {
        Some(name) => store::account_named(&mut tx, name).await?,
        None => store::default_account(&mut tx).await?,
    };
    let mut account = found.ok_or(TenancyError::NotFound)?;
    let ctx = Context::new(Actor::system(&account.id, "operator"), app.clock.clone());
    let target = Target::new("accounts", &account.id);
    let proof = authorize(&ctx, Permission::AccountsLimitRuns, target)?;
    let before = account.max_concurrent_runs;
    account.max_concurrent_runs = limit.map(i64::from);
    store::limit_account(&mut tx, &ctx.tenant(), account.max_concurrent_runs).await?;
    let detail = json!({ "before": before, "max_concurrent_runs": account.max_concurrent_runs });
    audit::record(&mut tx, &ctx, &proof, "account.limit-runs", detail).await?;
    tx.commit().await?;
    Ok(account)
}
