//! Use cases of an account's chain.

use domain::permission::Permission;
use serde_json::json;

use super::store::{self, Chain};
use crate::app::App;
use crate::audit;
use crate::audit::error::AuditError;
use crate::context::Context;
use crate::iam::{Target, authorize};

type Result<T> = std::result::Result<T, AuditError>;

/// The longest that can be chosen, in days: a hundred years.
const MOST_DAYS: i64 = 36_500;

fn target(ctx: &Context) -> Target {
    Target::new("accounts", &ctx.actor.account)
}

pub(super) async fn read(app: &App, ctx: &Context) -> Result<Chain> {
    authorize(ctx, Permission::AuditRead, target(ctx))?;
    let mut conn = app.db.acquire().await?;
    Ok(store::chain(&mut conn, &ctx.tenant()).await?)
}

/// Sets how long records are kept.
///
/// # Errors
/// [`AuditError::Invalid`] for less than the installation allows.
pub(super) async fn set_retention(app: &App, ctx: &Context, days: Option<i64>) -> Result<Chain> {
    let proof = authorize(ctx, Permission::AuditSetRetention, target(ctx))?;
    let least = app.installation.least_audit_days;
    if days.is_some_and(|days| days != 0 && !(least..=MOST_DAYS).contains(&days)) {
        return Err(AuditError::invalid(
            "retention-days",
            format!(
                "use {least} to {MOST_DAYS} days, 0 for ever, or null for what the installation says"
            ),
        ));
    }
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    store::ensure(&mut tx, &tenant).await?;
    let before = store::chain(&mut tx, &tenant).await?.retention_days;
    store::set_retention(&mut tx, &tenant, days).await?;
    let detail = json!({ "retention-days": days, "before": before });
    audit::record(&mut tx, ctx, &proof, "audit.set-retention", detail).await?;
    let chain = store::chain(&mut tx, &tenant).await?;
    tx.commit().await?;
    Ok(chain)
}
