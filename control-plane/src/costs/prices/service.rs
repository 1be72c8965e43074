//! Use cases of an account's own prices.

use domain::ids::CostAdjustmentId;
use domain::permission::Permission;
use serde_json::{Value, json};

use super::model::{Adjustment, AdjustmentChange, MAX_ADJUSTMENTS, NewAdjustment};
use super::store;
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::costs::CostError;
use crate::costs::revision;
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};

type Result<T> = std::result::Result<T, CostError>;

fn on_account(ctx: &Context, permission: Permission) -> Result<Authorized> {
    let target = Target::new("accounts", ctx.tenant().account());
    Ok(authorize(ctx, permission, target)?)
}

fn described(adjustment: &Adjustment) -> Value {
    json!({
        "adjustment": adjustment.id, "kind": adjustment.kind, "subject": adjustment.subject,
        "amount": adjustment.amount, "version": adjustment.version,
    })
}

fn taken(error: db::Error) -> CostError {
    if error.is_unique_violation() {
        CostError::SubjectTaken
    } else {
        error.into()
    }
}

/// Current states of the account are priced anew.
async fn changed(tx: &mut db::Tx, ctx: &Context) -> Result<()> {
    let tenant = ctx.tenant();
    let account = tenant.account().as_str();
    Ok(revision::raise(tx, &tenant, account).await?)
}

pub(super) async fn list(app: &App, ctx: &Context, page: Page) -> Result<Paged<Adjustment>> {
    on_account(ctx, Permission::CostPricesRead)?;
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    Ok(Paged {
        items: store::page(&mut conn, &tenant, page).await?,
        total: store::count(&mut conn, &tenant).await?,
    })
}

pub(super) async fn create(app: &App, ctx: &Context, new: NewAdjustment) -> Result<Adjustment> {
    let proof = on_account(ctx, Permission::CostPricesManage)?;
    let tenant = ctx.tenant();
    let now = ctx.now();
    let adjustment = Adjustment {
        id: CostAdjustmentId::random(),
        kind: new.kind,
        subject: new.subject,
        amount: new.amount,
        description: new.description,
        version: 1,
        created_at: now,
        updated_at: now,
    }
    .checked()?;
    let mut tx = app.db.begin().await?;
    if store::count(&mut tx, &tenant).await? >= MAX_ADJUSTMENTS {
        return Err(CostError::TooMany {
            limit: MAX_ADJUSTMENTS,
        });
    }
    store::insert(&mut tx, &tenant, &adjustment)
        .await
        .map_err(taken)?;
    changed(&mut tx, ctx).await?;
    let detail = described(&adjustment);
    audit::record(&mut tx, ctx, &proof, "cost-adjustment.create", detail).await?;
    tx.commit().await?;
    app.signals.costs.wake();
    Ok(adjustment)
}

async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &CostAdjustmentId,
    permission: Permission,
) -> Result<(Adjustment, Authorized)> {
    let found = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(CostError::NotFound)?;
    let proof = authorize(ctx, permission, Target::new("cost-adjustments", id))?;
    Ok((found, proof))
}

pub(super) async fn read(app: &App, ctx: &Context, id: &CostAdjustmentId) -> Result<Adjustment> {
    let mut conn = app.db.acquire().await?;
    Ok(load(&mut conn, ctx, id, Permission::CostPricesRead)
        .await?
        .0)
}

pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &CostAdjustmentId,
    change: AdjustmentChange,
) -> Result<Adjustment> {
    let mut tx = app.db.begin().await?;
    let (before, proof) = load(&mut tx, ctx, id, Permission::CostPricesManage).await?;
    let old = described(&before);
    let mut adjustment = before.with(change)?;
    adjustment.updated_at = ctx.now();
    if !store::update(&mut tx, &ctx.tenant(), &adjustment)
        .await
        .map_err(taken)?
    {
        return Err(CostError::Changed);
    }
    adjustment.version += 1;
    changed(&mut tx, ctx).await?;
    let detail = json!({ "before": old, "after": described(&adjustment) });
    audit::record(&mut tx, ctx, &proof, "cost-adjustment.update", detail).await?;
    tx.commit().await?;
    app.signals.costs.wake();
    Ok(adjustment)
}

pub(super) async fn delete(app: &App, ctx: &Context, id: &CostAdjustmentId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (found, proof) = load(&mut tx, ctx, id, Permission::CostPricesManage).await?;
    store::delete(&mut tx, &ctx.tenant(), id).await?;
    changed(&mut tx, ctx).await?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "cost-adjustment.delete",
        described(&found),
    )
    .await?;
    tx.commit().await?;
    app.signals.costs.wake();
    Ok(())
}
