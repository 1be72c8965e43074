//! Use cases of looking at the audit log.

use domain::permission::Permission;
use serde_json::json;

use super::filter::Filter;
use super::store::{self, Found, Order};
use crate::app::App;
use crate::audit;
use crate::audit::chain::{self, Chain};
use crate::audit::error::AuditError;
use crate::context::Context;
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};

type Result<T> = std::result::Result<T, AuditError>;

fn may_read(ctx: &Context) -> Result<Authorized> {
    let target = Target::new("accounts", &ctx.actor.account);
    Ok(authorize(ctx, Permission::AuditRead, target)?)
}

pub(super) async fn search(
    app: &App,
    ctx: &Context,
    filter: &Filter,
    order: Order,
    page: Page,
) -> Result<Paged<Found>> {
    may_read(ctx)?;
    let mut conn = app.db.acquire().await?;
    Ok(store::search(&mut conn, &ctx.tenant(), filter, order, page).await?)
}

pub(super) async fn read(app: &App, ctx: &Context, id: &str) -> Result<Found> {
    let mut conn = app.db.acquire().await?;
    let found = store::find(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(AuditError::NotFound)?;
    may_read(ctx)?;
    Ok(found)
}

/// Records that an export is made, seals everything up to that, and tells where the chain stands: the
/// export goes so far.
pub(super) async fn begin_export(
    app: &App,
    ctx: &Context,
    filter: &Filter,
    format: &'static str,
) -> Result<Chain> {
    let (tenant, proof) = (ctx.tenant(), may_read(ctx)?);
    let detail = json!({ "format": format, "filter": filter });
    let mut tx = app.db.begin().await?;
    audit::record(&mut tx, ctx, &proof, "audit.export", detail).await?;
    tx.commit().await?;
    chain::seal_account(app, &tenant).await?;
    let mut conn = app.db.acquire().await?;
    Ok(chain::store::chain(&mut conn, &tenant).await?)
}
