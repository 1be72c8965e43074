//! Use cases of rules.

use domain::access::TokenKind;
use domain::permission::Permission;
use ipnet::IpNet;
use serde_json::{Value, json};

use super::model::Rules;
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::iam::{IamError, Target, authorize};

type Result<T> = std::result::Result<T, IamError>;

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct RulesChange {
    pub user_token_days: Option<Option<i64>>,
    pub service_account_token_days: Option<Option<i64>>,
    pub networks: Option<Vec<IpNet>>,
    /// Even if the caller's own address is not among the networks.
    pub force: bool,
}

fn facts(rules: &Rules) -> Value {
    json!({ "user_token_days": rules.user_token_days,
        "service_account_token_days": rules.service_account_token_days,
        "allowed_networks": rules.written_networks() })
}

fn target(ctx: &Context) -> Target {
    Target::new("accounts", &ctx.actor.account)
}

pub(super) async fn read(app: &App, ctx: &Context) -> Result<Rules> {
    authorize(ctx, Permission::AccessRulesRead, target(ctx))?;
    let mut conn = app.db.acquire().await?;
    Ok(store::find(&mut conn, &ctx.tenant()).await?)
}

/// Changes the rules. They hold for tokens that there are, too.
///
/// # Errors
/// [`IamError::WouldLockOut`] for networks that the caller isn't in, unless they insist.
pub(super) async fn update(app: &App, ctx: &Context, change: RulesChange) -> Result<Rules> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let proof = authorize(ctx, Permission::AccessRulesUpdate, target(ctx))?;
    tx.lock_row("accounts", tenant.account()).await?;
    let before = store::find(&mut tx, &tenant).await?;
    let mut rules = before.clone();
    rules.user_token_days = change.user_token_days.unwrap_or(rules.user_token_days);
    rules.service_account_token_days = change
        .service_account_token_days
        .unwrap_or(rules.service_account_token_days);
    if let Some(networks) = change.networks {
        rules.networks = networks;
    }
    rules.check()?;
    if !change.force && !rules.admit(TokenKind::User, ctx.source_address) {
        return Err(IamError::WouldLockOut {
            address: ctx.source_address.map_or_else(
                || "unknown".to_owned(),
                |address| address.to_canonical().to_string(),
            ),
        });
    }
    store::save(&mut tx, &tenant, &rules, ctx.now()).await?;
    let detail = json!({ "before": facts(&before), "after": facts(&rules) });
    audit::record(&mut tx, ctx, &proof, "access-rules.update", detail).await?;
    tx.commit().await?;
    Ok(rules)
}
