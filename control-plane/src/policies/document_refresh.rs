//! Fetches data documents from where they come from, when they are due or somebody asks.
//!
//! A fetch that fails leaves the last good body: facts of an hour ago are better than none, and a
//! policy that reads `undefined` would let pass what it should deny.

use chrono::TimeDelta;
use domain::ids::PolicyDocumentId;
use domain::permission::Permission;
use futures::{StreamExt, stream};
use serde_json::Value;

use super::document_source::{Source, token_place};
use super::document_store::{self as store, DataDocument, Due};
use super::documents::{self, may};
use super::error::PolicyError;
use crate::app::App;
use crate::context::{Actor, Context, Tenant};
use crate::http::error::chain;

type Result<T> = std::result::Result<T, PolicyError>;

/// Documents that one pass takes up, and how many at a time.
const AT_ONCE: i64 = 50;
const TOGETHER: usize = 4;
/// How long one that was taken up is left alone; longer than any fetch.
const CLAIM: TimeDelta = TimeDelta::minutes(5);

/// Fetches what is due. The pass of a reconciler.
///
/// # Errors
/// The database's own; a source that fails is noted on its document.
pub async fn refresh_due(app: &App) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    let due = store::take_due(&mut tx, now, now + CLAIM, AT_ONCE).await?;
    tx.commit().await?;
    stream::iter(due)
        .for_each_concurrent(TOGETHER, |due| async move {
            if let Err(error) = refresh_one(app, &due).await {
                tracing::warn!(document = %due.id, error = chain(&error),
                    "a data document can't be refreshed now; it is tried again");
            }
        })
        .await;
    Ok(())
}

async fn refresh_one(app: &App, due: &Due) -> Result<()> {
    let tenant = Tenant::of_row(&due.account_id);
    let actor = Actor::system(tenant.account(), "data documents");
    let ctx = Context::new(actor, app.clock.clone());
    match refresh(app, &ctx, &due.id).await {
        // Deleted or changed meanwhile.
        Err(PolicyError::NotFound | PolicyError::Changed) => Ok(()),
        other => other.map(drop),
    }
}

/// Fetches one document now; how it went is written on it.
///
/// # Errors
/// [`PolicyError::NotFound`], [`PolicyError::NoSource`], the refusal, or a fault.
pub(super) async fn refresh(
    app: &App,
    ctx: &Context,
    id: &PolicyDocumentId,
) -> Result<(DataDocument, Value)> {
    let tenant = ctx.tenant();
    documents::check_there(app, &tenant, id).await?;
    let proof = may(ctx, Permission::PolicyGroupsUpdate, id)?;
    let source = source_of(app, &tenant, id).await?;
    let fetched = source.fetch(app).await;
    let mut tx = app.db.begin().await?;
    let mut document = store::find(&mut tx, &tenant, id)
        .await?
        .filter(|it| it.url.as_deref() == Some(source.url.as_str()))
        .ok_or(PolicyError::Changed)?;
    let now = app.clock.now();
    let taken = match fetched {
        Ok(body) => documents::take(app, &mut tx, &tenant, &mut document, &body).await,
        Err(reason) => Err(PolicyError::invalid("source/url", reason)),
    };
    document.next_fetch_at = Some(now + source.pause(taken.is_err()));
    let sealed = match taken {
        Ok(sealed) => {
            document.fetch_error = None;
            document.fetched_at = Some(now);
            sealed
        }
        Err(PolicyError::Invalid { detail, .. }) => {
            document.fetch_error = Some(detail);
            None
        }
        Err(fault) => return Err(fault),
    };
    if sealed.is_some() {
        documents::record(
            &mut tx,
            ctx,
            &proof,
            "policy-data-document.refresh",
            &document,
        )
        .await?;
    }
    if !store::update(&mut tx, &tenant, &document, sealed).await? {
        return Err(PolicyError::Changed);
    }
    let body = documents::body(app, &mut tx, &tenant, id).await?;
    tx.commit().await?;
    Ok((document, body))
}

/// Where a document comes from, with its token.
pub(super) async fn source_of(app: &App, tenant: &Tenant, id: &PolicyDocumentId) -> Result<Source> {
    let mut conn = app.db.acquire().await?;
    let document = store::find(&mut conn, tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    let (Some(url), Some(minutes)) = (&document.url, document.refresh_minutes) else {
        return Err(PolicyError::NoSource);
    };
    let token = match store::sealed_token(&mut conn, tenant, id).await? {
        Some(sealed) => {
            let place = token_place(id);
            Some(
                app.keys
                    .open_text(&mut conn, tenant, &place, &sealed)
                    .await?,
            )
        }
        None => None,
    };
    Source::new(app, url, minutes, token)
}
