//! Use cases of streams.

use domain::Secret;
use domain::ids::AuditStreamId;
use domain::permission::Permission;
use serde_json::json;
use url::Url;

use super::model::{Destination, NewStream, Stream, StreamChange, secret_place};
use super::store;
use crate::app::App;
use crate::audit::chain::{self, Chain};
use crate::audit::error::AuditError;
use crate::audit::{self, Digests};
use crate::context::Context;
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};

type Result<T> = std::result::Result<T, AuditError>;

const MAX_STREAMS: i64 = 20;
const MAX_NAME: usize = 90;
/// A shorter secret could be guessed from a signature.
const LEAST_SECRET: usize = 16;
const MOST_SECRET: usize = 512;

fn may(ctx: &Context, permission: Permission, id: impl ToString) -> Result<Authorized> {
    Ok(authorize(
        ctx,
        permission,
        Target::new("audit-streams", id),
    )?)
}

/// Who sends the log away reads it.
fn may_send(ctx: &Context, id: &AuditStreamId) -> Result<Authorized> {
    may(ctx, Permission::AuditRead, id)?;
    may(ctx, Permission::AuditStreamsManage, id)
}

fn check_name(name: &str) -> Result<()> {
    let fits = !name.is_empty()
        && name.len() <= MAX_NAME
        && name.trim() == name
        && !name.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(AuditError::invalid(
        "name",
        format!("{name:?}: use 1 to {MAX_NAME} printable characters, no spaces around them"),
    ))
}

fn check_secret(secret: &Secret) -> Result<()> {
    if (LEAST_SECRET..=MOST_SECRET).contains(&secret.expose().len()) {
        return Ok(());
    }
    Err(AuditError::invalid(
        "secret",
        format!("use {LEAST_SECRET} to {MOST_SECRET} bytes"),
    ))
}

fn check_address(app: &App, field: &str, text: &str) -> Result<()> {
    let url: Url = text
        .parse()
        .map_err(|_| AuditError::invalid(field, "it is no URL; use https://HOST/PATH"))?;
    app.outbound
        .check(&url)
        .map_err(|error| AuditError::invalid(field, error.to_string()))
}

fn check_word(field: &str, text: &str, others: &[u8], most: usize) -> Result<()> {
    let fits = (3..=most).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || others.contains(&b));
    if fits {
        return Ok(());
    }
    let others: Vec<String> = others
        .iter()
        .map(|b| format!("`{}`", char::from(*b)))
        .collect();
    Err(AuditError::invalid(
        field,
        format!(
            "{text:?}: use 3 to {most} letters, digits and {}",
            others.join(", ")
        ),
    ))
}

fn check_destination(app: &App, destination: &Destination) -> Result<()> {
    match destination {
        Destination::Webhook { url } => check_address(app, "url", url),
        Destination::S3 {
            bucket,
            region,
            endpoint,
            prefix,
            access_key_id,
        } => {
            // They stand in the name of the host that is called.
            check_word("bucket", bucket, b"-.", 63)?;
            check_word("region", region, b"-", 40)?;
            check_word("access-key-id", access_key_id, b"-_", 128)?;
            if !prefix.is_empty() {
                check_word("prefix", prefix, b"-_./", 200)?;
            }
            match endpoint {
                Some(endpoint) => check_address(app, "endpoint", endpoint),
                None => Ok(()),
            }
        }
    }
}

pub(super) async fn list(app: &App, ctx: &Context, page: Page) -> Result<(Paged<Stream>, Chain)> {
    may(ctx, Permission::AuditStreamsRead, &ctx.actor.account)?;
    let mut conn = app.db.acquire().await?;
    let found = store::list(&mut conn, &ctx.tenant(), page).await?;
    Ok((found, chain::store::chain(&mut conn, &ctx.tenant()).await?))
}

pub(super) async fn read(app: &App, ctx: &Context, id: &AuditStreamId) -> Result<(Stream, Chain)> {
    may(ctx, Permission::AuditStreamsRead, id)?;
    let mut conn = app.db.acquire().await?;
    let found = store::find(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(AuditError::NotFound)?;
    Ok((found, chain::store::chain(&mut conn, &ctx.tenant()).await?))
}

fn name_taken(error: db::Error) -> AuditError {
    if error.is_unique_violation() {
        AuditError::NameTaken
    } else {
        error.into()
    }
}

/// Makes a stream.
///
/// # Errors
/// [`AuditError::Invalid`], [`AuditError::NameTaken`], [`AuditError::TooMany`].
pub(super) async fn create(app: &App, ctx: &Context, new: NewStream) -> Result<(Stream, Chain)> {
    let (tenant, id) = (ctx.tenant(), AuditStreamId::random());
    let proof = may_send(ctx, &id)?;
    check_name(&new.name)?;
    check_destination(app, &new.destination)?;
    check_secret(&new.secret)?;
    let mut tx = app.db.begin().await?;
    if store::count(&mut tx, &tenant).await? >= MAX_STREAMS {
        return Err(AuditError::TooMany { limit: MAX_STREAMS });
    }
    let chain = chain::store::chain(&mut tx, &tenant).await?;
    let now = ctx.now();
    let stream = Stream {
        id,
        account_id: tenant.account().clone(),
        name: new.name,
        destination: new.destination,
        paused: new.paused,
        delivered_sequence: if new.from_beginning {
            chain.removed_sequence
        } else {
            chain.sequence
        },
        delivered_at: None,
        failures: 0,
        last_error: None,
        failed_at: None,
        next_attempt_at: now,
        claim: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let (place, secret) = (secret_place(&stream.id), new.secret.expose().as_bytes());
    let sealed = app.keys.seal(&mut tx, &tenant, &place, secret).await?;
    store::insert(&mut tx, &tenant, &stream, sealed)
        .await
        .map_err(name_taken)?;
    audit::record(&mut tx, ctx, &proof, "audit-stream.create", facts(&stream)).await?;
    tx.commit().await?;
    Ok((stream, chain))
}

fn facts(stream: &Stream) -> serde_json::Value {
    json!({ "name": stream.name, "destination": stream.destination, "paused": stream.paused })
}

/// Changes a stream. What is on its way arrives at the old place still, and once more at the new one.
///
/// # Errors
/// As for [`create`], and [`AuditError::Changed`].
pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &AuditStreamId,
    change: StreamChange,
) -> Result<(Stream, Chain)> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let mut stream = store::find(&mut tx, &tenant, id)
        .await?
        .ok_or(AuditError::NotFound)?;
    let proof = may_send(ctx, id)?;
    let before = facts(&stream);
    stream.name = change.name.unwrap_or(stream.name);
    stream.paused = change.paused.unwrap_or(stream.paused);
    stream.updated_at = ctx.now();
    check_name(&stream.name)?;
    if let Some(destination) = change.destination {
        check_destination(app, &destination)?;
        stream.destination = destination;
    }
    let sealed = match &change.secret {
        Some(secret) => {
            check_secret(secret)?;
            let secret = secret.expose().as_bytes();
            Some(
                app.keys
                    .seal(&mut tx, &tenant, &secret_place(id), secret)
                    .await?,
            )
        }
        None => None,
    };
    let detail = json!({ "stream": facts(&stream), "new-secret": sealed.is_some() });
    let digests = Digests::of(&before, &facts(&stream))?;
    if !store::update(&mut tx, &tenant, &stream, sealed)
        .await
        .map_err(name_taken)?
    {
        return Err(AuditError::Changed);
    }
    audit::record_change(&mut tx, ctx, &proof, "audit-stream.update", detail, digests).await?;
    let stream = store::find(&mut tx, &tenant, id)
        .await?
        .ok_or(AuditError::NotFound)?;
    let chain = chain::store::chain(&mut tx, &tenant).await?;
    tx.commit().await?;
    Ok((stream, chain))
}

pub(super) async fn delete(app: &App, ctx: &Context, id: &AuditStreamId) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let stream = store::find(&mut tx, &tenant, id)
        .await?
        .ok_or(AuditError::NotFound)?;
    let proof = may(ctx, Permission::AuditStreamsManage, id)?;
    store::delete(&mut tx, &tenant, id).await?;
    audit::record(&mut tx, ctx, &proof, "audit-stream.delete", facts(&stream)).await?;
    Ok(tx.commit().await?)
}
