//! Whether members must come through a provider, and who need not.
//!
//! What is enforced is signing in: a password opens no session then, and one that it has opened
//! counts no more. API tokens go on working: they are taken away one by one, or with the membership.

use domain::ids::UserId;
use domain::permission::Permission;
use serde_json::json;

use super::error::IdentityError;
use super::{policy_store, store};
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::iam::{self, Target, authorize};

type Result<T> = std::result::Result<T, IdentityError>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignInPolicy {
    pub enforced: bool,
    pub bypass_users: Vec<UserId>,
}

fn target(ctx: &Context) -> Target {
    Target::new("sign-in-policies", &ctx.actor.account)
}

async fn load(conn: &mut db::Conn, ctx: &Context) -> Result<SignInPolicy> {
    Ok(SignInPolicy {
        enforced: policy_store::is_enforced(conn, &ctx.tenant()).await?,
        bypass_users: policy_store::bypass_users(conn, &ctx.tenant()).await?,
    })
}

pub(super) async fn read(app: &App, ctx: &Context) -> Result<SignInPolicy> {
    authorize(ctx, Permission::IdentityProvidersRead, target(ctx))?;
    let mut conn = app.db.acquire().await?;
    load(&mut conn, ctx).await
}

/// # Errors
/// [`IdentityError::NotVerified`] without a provider that was tested, and
/// [`IdentityError::NoBypassUser`] if a fault of the provider would lock everybody out.
pub(super) async fn update(
    app: &App,
    ctx: &Context,
    enforced: Option<bool>,
    bypass_users: Option<Vec<UserId>>,
) -> Result<SignInPolicy> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    tx.lock_row("accounts", tenant.account().as_str()).await?;
    let proof = authorize(ctx, Permission::IdentityProvidersManage, target(ctx))?;
    let before = load(&mut tx, ctx).await?;
    let after = SignInPolicy {
        enforced: enforced.unwrap_or(before.enforced),
        bypass_users: bypass_users.unwrap_or_else(|| before.bypass_users.clone()),
    };
    let members = iam::find_members(&mut tx, &tenant, &after.bypass_users).await?;
    for (at, user) in after.bypass_users.iter().enumerate() {
        if !members.iter().any(|member| member.id == *user) {
            return Err(IdentityError::Invalid {
                field: format!("/data/relationships/bypass-users/data/{at}"),
                detail: format!("the account has no member {user}"),
            });
        }
    }
    if after.enforced {
        let providers = store::list(&mut tx, &tenant, true).await?;
        if !before.enforced && !providers.iter().any(|it| it.verified_at.is_some()) {
            return Err(IdentityError::NotVerified);
        }
        if after.bypass_users.is_empty() {
            return Err(IdentityError::NoBypassUser);
        }
    }
    policy_store::set_enforced(&mut tx, &tenant, after.enforced, ctx.now()).await?;
    policy_store::replace_bypass_users(&mut tx, &tenant, &after.bypass_users).await?;
    let facts = |policy: &SignInPolicy| json!({ "enforced": policy.enforced, "bypass_users": policy.bypass_users });
    let detail = json!({ "before": facts(&before), "after": facts(&after) });
    audit::record(&mut tx, ctx, &proof, "sign-in-policy.update", detail).await?;
    tx.commit().await?;
    Ok(after)
}
