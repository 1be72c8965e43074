//! Data documents of an account: facts from outside that policies see as `data.account.NAME`, since
//! they have no network. They are bounded together, because every evaluation carries all of them.

use domain::ids::PolicyDocumentId;
use domain::permission::Permission;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::document_store as store;
pub(super) use super::document_store::DataDocument;
use super::error::PolicyError;
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};
use crate::problem::Fault;
use crate::tenancy::SealedPlace;

type Result<T> = std::result::Result<T, PolicyError>;

const MAX_BODY: usize = 1 << 20;
const MAX_TOGETHER: i64 = 16 << 20;
const MAX_DOCUMENTS: i64 = 200;

/// What a create or update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) body: Option<Value>,
}

fn place(id: &PolicyDocumentId) -> SealedPlace {
    SealedPlace::new("policy-document", id)
}

fn may(ctx: &Context, permission: Permission, id: impl ToString) -> Result<Authorized> {
    Ok(authorize(
        ctx,
        permission,
        Target::new("policy-data-documents", id),
    )?)
}

/// A name that can stand in `data.account.NAME`.
fn check_name(name: &str) -> Result<()> {
    let fits = name.len() <= 90
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fits {
        return Ok(());
    }
    Err(PolicyError::invalid(
        "name",
        "use 1 to 90 letters, digits and underscores, not beginning with a digit: policies read it \
         as data.account.NAME",
    ))
}

fn check_description(text: &str) -> Result<()> {
    if text.len() > 512 {
        return Err(PolicyError::invalid("description", "use at most 512 bytes"));
    }
    Ok(())
}

/// The body as it is kept.
fn written(body: &Value) -> Result<Vec<u8>> {
    let text = body.to_string().into_bytes();
    if text.len() > MAX_BODY {
        return Err(PolicyError::invalid(
            "body",
            "use at most 1 MiB; split it into several documents",
        ));
    }
    Ok(text)
}

/// `data.account`.
pub(super) async fn all(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
) -> Result<Map<String, Value>> {
    let mut all = Map::new();
    for (id, name, sealed) in store::bodies(conn, tenant).await? {
        all.insert(name, open(app, conn, tenant, &id, &sealed).await?);
    }
    Ok(all)
}

async fn open(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &PolicyDocumentId,
    sealed: &[u8],
) -> Result<Value> {
    let bytes = app.keys.open(conn, tenant, &place(id), sealed).await?;
    let body = serde_json::from_slice(bytes.expose()).map_err(|_| Fault::Unreadable {
        what: "a data document",
    })?;
    Ok(body)
}

pub(super) async fn list(app: &App, ctx: &Context, page: Page) -> Result<Paged<DataDocument>> {
    may(ctx, Permission::PolicyGroupsRead, &ctx.actor.account)?;
    let mut conn = app.db.acquire().await?;
    Ok(store::list(&mut conn, &ctx.tenant(), page).await?)
}

/// A document with its body.
pub(super) async fn read(
    app: &App,
    ctx: &Context,
    id: &PolicyDocumentId,
) -> Result<(DataDocument, Value)> {
    may(ctx, Permission::PolicyGroupsRead, id)?;
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let found = store::find(&mut conn, &tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    let sealed = store::body(&mut conn, &tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    let body = open(app, &mut conn, &tenant, id, &sealed).await?;
    Ok((found, body))
}

async fn check_room(tx: &mut db::Tx, tenant: &Tenant, more: i64, count: i64) -> Result<()> {
    let (documents, size) = store::totals(tx, tenant).await?;
    if documents + count > MAX_DOCUMENTS {
        return Err(PolicyError::TooMany {
            what: "data documents",
            limit: MAX_DOCUMENTS,
        });
    }
    if size + more > MAX_TOGETHER {
        return Err(PolicyError::invalid(
            "body",
            "all documents of an account may have 16 MiB together; delete some, or keep less in them",
        ));
    }
    Ok(())
}

fn size_of(text: &[u8]) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

pub(super) async fn create(app: &App, ctx: &Context, new: Change) -> Result<(DataDocument, Value)> {
    let tenant = ctx.tenant();
    let id = PolicyDocumentId::random();
    let proof = may(ctx, Permission::PolicyGroupsCreate, &id)?;
    let body = new
        .body
        .ok_or_else(|| PolicyError::invalid("body", "give the JSON that policies shall see"))?;
    let text = written(&body)?;
    let document = DataDocument {
        id,
        name: new.name.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        size: size_of(&text),
        sha256: hex::encode(Sha256::digest(&text)),
        version: 1,
        created_at: ctx.now(),
        updated_at: ctx.now(),
    };
    check_name(&document.name)?;
    check_description(&document.description)?;
    let mut tx = app.db.begin().await?;
    check_room(&mut tx, &tenant, document.size, 1).await?;
    let sealed = app
        .keys
        .seal(&mut tx, &tenant, &place(&document.id), &text)
        .await?;
    store::insert(&mut tx, &tenant, &document, sealed)
        .await
        .map_err(PolicyError::of_write("Name", "/data/attributes/name"))?;
    record(
        &mut tx,
        ctx,
        &proof,
        "policy-data-document.create",
        &document,
    )
    .await?;
    tx.commit().await?;
    Ok((document, body))
}

async fn record(
    tx: &mut db::Tx,
    ctx: &Context,
    proof: &Authorized,
    action: &str,
    document: &DataDocument,
) -> Result<()> {
    let detail = json!({
        "name": document.name, "size": document.size, "sha256": document.sha256,
    });
    Ok(audit::record(tx, ctx, proof, action, detail).await?)
}

pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &PolicyDocumentId,
    change: Change,
) -> Result<(DataDocument, Value)> {
    let tenant = ctx.tenant();
    let proof = may(ctx, Permission::PolicyGroupsUpdate, id)?;
    let mut tx = app.db.begin().await?;
    let mut document = store::find(&mut tx, &tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    document.name = change.name.unwrap_or(document.name);
    document.description = change.description.unwrap_or(document.description);
    document.updated_at = ctx.now();
    check_name(&document.name)?;
    check_description(&document.description)?;
    let mut sealed = None;
    if let Some(body) = &change.body {
        let text = written(body)?;
        check_room(&mut tx, &tenant, size_of(&text) - document.size, 0).await?;
        document.size = size_of(&text);
        document.sha256 = hex::encode(Sha256::digest(&text));
        sealed = Some(app.keys.seal(&mut tx, &tenant, &place(id), &text).await?);
    }
    let updated = store::update(&mut tx, &tenant, &document, sealed).await;
    if !updated.map_err(PolicyError::of_write("Name", "/data/attributes/name"))? {
        return Err(PolicyError::Changed);
    }
    record(
        &mut tx,
        ctx,
        &proof,
        "policy-data-document.update",
        &document,
    )
    .await?;
    let sealed = store::body(&mut tx, &tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    let body = open(app, &mut tx, &tenant, id, &sealed).await?;
    tx.commit().await?;
    Ok((document, body))
}

pub(super) async fn delete(app: &App, ctx: &Context, id: &PolicyDocumentId) -> Result<()> {
    let tenant = ctx.tenant();
    let proof = may(ctx, Permission::PolicyGroupsDelete, id)?;
    let mut tx = app.db.begin().await?;
    let document = store::find(&mut tx, &tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    store::delete(&mut tx, &tenant, id).await?;
    record(
        &mut tx,
        ctx,
        &proof,
        "policy-data-document.delete",
        &document,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}
