//! Data documents of an account: facts from outside that policies see as `data.account.NAME`, since
//! they have no network. They are uploaded, or fetched by the control plane again and again. They are bounded together, because every evaluation carries all of them.

use domain::Secret;
use domain::ids::PolicyDocumentId;
use domain::permission::Permission;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::document_refresh::source_of;
use super::document_source::{Source, token_place};
use super::document_store as store;
pub(super) use super::document_store::DataDocument;
use super::error::PolicyError;
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};
use crate::problem::Fault;
use crate::tenancy::SealedPlace;

type Result<T> = std::result::Result<T, PolicyError>;

pub(super) const MAX_BODY: usize = 1 << 20;
const MAX_TOGETHER: i64 = 16 << 20;
const MAX_DOCUMENTS: i64 = 200;

/// What a create or update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) body: Option<Value>,
    /// `Some(None)`: it is fetched from nowhere any more, and keeps its body.
    pub(super) source: Option<Option<NewSource>>,
}

/// A source as it is asked for.
#[derive(Debug)]
pub(super) struct NewSource {
    pub(super) url: String,
    pub(super) refresh_minutes: i64,
    pub(super) token: Option<Secret>,
}

fn place(id: &PolicyDocumentId) -> SealedPlace {
    SealedPlace::new("policy-document", id)
}

pub(super) fn may(ctx: &Context, permission: Permission, id: impl ToString) -> Result<Authorized> {
    Ok(authorize(
        ctx,
        permission,
        Target::new("policy-data-documents", id),
    )?)
}

/// Before it is asked what the caller may do with it: one that is not theirs is not there for anybody.
pub(super) async fn check_there(app: &App, tenant: &Tenant, id: &PolicyDocumentId) -> Result<()> {
    let mut conn = app.db.acquire().await?;
    let found = store::find(&mut conn, tenant, id).await?;
    found.map(drop).ok_or(PolicyError::NotFound)
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
    let body = body(app, &mut conn, &tenant, id).await?;
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

/// The body at its first source: one that gives nothing is refused at once.
async fn first_body(app: &App, source: &Source) -> Result<Value> {
    let body = source.fetch(app).await;
    body.map_err(|reason| PolicyError::invalid("source/url", reason))
}

fn other_body() -> PolicyError {
    PolicyError::invalid(
        "body",
        "it comes from its `source`; leave one of them out, or set `source` to null first",
    )
}

pub(super) async fn create(app: &App, ctx: &Context, new: Change) -> Result<(DataDocument, Value)> {
    let tenant = ctx.tenant();
    let id = PolicyDocumentId::random();
    let proof = may(ctx, Permission::PolicyGroupsCreate, &id)?;
    let source = match new.source.flatten() {
        Some(asked) => Some(asked.checked(app)?),
        None => None,
    };
    let body = match (new.body, &source) {
        (Some(_), Some(_)) => return Err(other_body()),
        (Some(body), None) => body,
        (None, Some(source)) => first_body(app, source).await?,
        (None, None) => {
            let detail = "give the JSON that policies shall see, or a `source`";
            return Err(PolicyError::invalid("body", detail));
        }
    };
    let text = written(&body)?;
    let mut document = DataDocument {
        id,
        name: new.name.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        size: size_of(&text),
        sha256: hex::encode(Sha256::digest(&text)),
        version: 1,
        url: None,
        refresh_minutes: None,
        has_token: false,
        fetched_at: None,
        fetch_error: None,
        next_fetch_at: None,
        created_at: ctx.now(),
        updated_at: ctx.now(),
    };
    check_name(&document.name)?;
    check_description(&document.description)?;
    if let Some(source) = &source {
        document.come_from(source, ctx.now());
    }
    let mut tx = app.db.begin().await?;
    check_room(&mut tx, &tenant, document.size, 1).await?;
    let sealed = app
        .keys
        .seal(&mut tx, &tenant, &place(&document.id), &text)
        .await?;
    store::insert(&mut tx, &tenant, &document, sealed)
        .await
        .map_err(PolicyError::of_write("Name", "/data/attributes/name"))?;
    if let Some(source) = &source {
        keep_token(app, &mut tx, &tenant, &document.id, source).await?;
    }
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

impl NewSource {
    fn checked(self, app: &App) -> Result<Source> {
        Source::new(app, &self.url, self.refresh_minutes, self.token)
    }
}

impl DataDocument {
    /// Notes a source that has just given the body.
    fn come_from(&mut self, source: &Source, now: Timestamp) {
        self.url = Some(source.url.to_string());
        self.refresh_minutes = Some(source.refresh_minutes);
        self.has_token = source.token.is_some();
        self.fetched_at = Some(now);
        self.fetch_error = None;
        self.next_fetch_at = Some(now + source.pause(false));
    }

    fn come_from_nowhere(&mut self) {
        self.url = None;
        self.refresh_minutes = None;
        self.has_token = false;
        self.fetched_at = None;
        self.fetch_error = None;
        self.next_fetch_at = None;
    }
}

async fn keep_token(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    id: &PolicyDocumentId,
    source: &Source,
) -> Result<()> {
    let sealed = match &source.token {
        Some(token) => {
            let token = token.expose().as_bytes();
            Some(app.keys.seal(tx, tenant, &token_place(id), token).await?)
        }
        None => None,
    };
    Ok(store::set_token(tx, tenant, id, sealed).await?)
}

/// Puts a body into a document, if it is another one; sealed, for its row.
///
/// # Errors
/// [`PolicyError::Invalid`] when it is too large.
pub(super) async fn take(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    document: &mut DataDocument,
    body: &Value,
) -> Result<Option<Vec<u8>>> {
    let text = written(body)?;
    let digest = hex::encode(Sha256::digest(&text));
    if digest == document.sha256 {
        return Ok(None);
    }
    check_room(tx, tenant, size_of(&text) - document.size, 0).await?;
    document.size = size_of(&text);
    document.sha256 = digest;
    let place = place(&document.id);
    Ok(Some(app.keys.seal(tx, tenant, &place, &text).await?))
}

pub(super) async fn record(
    tx: &mut db::Tx,
    ctx: &Context,
    proof: &Authorized,
    action: &str,
    document: &DataDocument,
) -> Result<()> {
    let detail = json!({
        "name": document.name, "size": document.size, "sha256": document.sha256,
        "url": document.url,
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
    check_there(app, &tenant, id).await?;
    let proof = may(ctx, Permission::PolicyGroupsUpdate, id)?;
    let source = match change.source {
        Some(Some(asked)) => Some(Some(changed_source(app, &tenant, id, asked).await?)),
        Some(None) => Some(None),
        None => None,
    };
    let fetched = match &source {
        Some(Some(_)) if change.body.is_some() => return Err(other_body()),
        Some(Some(source)) => Some(first_body(app, source).await?),
        Some(None) | None => None,
    };
    let mut tx = app.db.begin().await?;
    let mut document = store::find(&mut tx, &tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    if change.body.is_some() && source.is_none() && document.url.is_some() {
        return Err(other_body());
    }
    document.name = change.name.unwrap_or(document.name);
    document.description = change.description.unwrap_or(document.description);
    document.updated_at = ctx.now();
    check_name(&document.name)?;
    check_description(&document.description)?;
    let sealed = match change.body.or(fetched) {
        Some(body) => take(app, &mut tx, &tenant, &mut document, &body).await?,
        None => None,
    };
    match &source {
        Some(Some(source)) => {
            document.come_from(source, ctx.now());
            keep_token(app, &mut tx, &tenant, id, source).await?;
        }
        Some(None) => {
            document.come_from_nowhere();
            store::set_token(&mut tx, &tenant, id, None).await?;
        }
        None => {}
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
    let body = body(app, &mut tx, &tenant, id).await?;
    tx.commit().await?;
    Ok((document, body))
}

/// A new source for a document. The token that is kept goes to the address that it was given for,
/// and to no other.
async fn changed_source(
    app: &App,
    tenant: &Tenant,
    id: &PolicyDocumentId,
    asked: NewSource,
) -> Result<Source> {
    let mut source = asked.checked(app)?;
    if source.token.is_none() {
        match source_of(app, tenant, id).await {
            Ok(old) if old.url == source.url => source.token = old.token,
            // What the old one was like is of no matter.
            Ok(_) | Err(PolicyError::NoSource | PolicyError::Invalid { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(source)
}

/// What policies see of a document.
pub(super) async fn body(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &PolicyDocumentId,
) -> Result<Value> {
    let sealed = store::body(conn, tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    open(app, conn, tenant, id, &sealed).await
}

pub(super) async fn delete(app: &App, ctx: &Context, id: &PolicyDocumentId) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let document = store::find(&mut tx, &tenant, id)
        .await?
        .ok_or(PolicyError::NotFound)?;
    let proof = may(ctx, Permission::PolicyGroupsDelete, id)?;
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
