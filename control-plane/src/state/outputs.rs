//! The outputs of a state: each value sealed in a row of its own, so that one can be read without
//! opening the state.

use std::collections::BTreeMap;

use domain::ids::{StateOutputId, StateVersionId};
use domain::permission::Permission;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use terraform::state::{Output as Parsed, type_name};
use vault::secret;

use super::error::StateError;
use super::output_store::{self, OutputRow};
use super::read::{Found, Reach, reach};
use crate::app::App;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::problem::Fault;
use crate::tenancy::SealedPlace;
use crate::workspaces::{self, authorize_on};

type Result<T> = std::result::Result<T, StateError>;

const SEALED_AS: &str = "state-output";

/// An output as its reader sees it.
#[derive(Debug)]
pub struct Output {
    pub id: StateOutputId,
    pub name: String,
    pub sensitive: bool,
    /// `string`, `number`, `bool`, `list`, `map`, `object`, …
    pub kind: String,
    /// Terraform's JSON form of the type.
    pub detailed_type: Value,
    /// Nothing for a sensitive one in a list, or for who may not see secrets.
    pub value: Option<Box<RawValue>>,
}

/// Rows for outputs, sealed; on a thread for blocking work, as values may be large.
pub(super) async fn seal(
    app: &App,
    tenant: &Tenant,
    outputs: Vec<Parsed>,
) -> Result<Vec<OutputRow>> {
    if outputs.is_empty() {
        return Ok(Vec::new());
    }
    let mut conn = app.db.acquire().await?;
    let key = app.keys.sealing_key(&mut conn, tenant).await?;
    drop(conn);
    let account = tenant.account().clone();
    let seal_all = move || {
        let seal_one = |output: Parsed| {
            let id = StateOutputId::random();
            let context = vault::Context {
                account: account.as_str(),
                kind: SEALED_AS,
                id: id.as_str(),
            };
            let sealed_value = secret::seal(&key, &context, output.value.get().as_bytes());
            let kind = type_name(&output.detailed_type);
            // Nesting beyond what JSON libraries take; the value itself is served as it stands.
            let detailed_type = serde_json::from_str(output.detailed_type.get())
                .unwrap_or_else(|_| Value::from("dynamic"));
            OutputRow {
                id,
                name: output.name,
                sensitive: output.sensitive,
                kind,
                detailed_type: json!({ "type": detailed_type }),
                sealed_value,
            }
        };
        outputs.into_iter().map(seal_one).collect()
    };
    tokio::task::spawn_blocking(seal_all).await.map_err(|_| {
        StateError::Fault(Fault::Unreadable {
            what: "the outputs of a state (sealing them failed)",
        })
    })
}

#[derive(Deserialize)]
struct AnnouncedOutput {
    value: Box<RawValue>,
    #[serde(rename = "type")]
    detailed_type: Box<RawValue>,
    #[serde(default)]
    sensitive: bool,
}

/// The outputs that a client announced beside its state: an object of name to value, type and
/// sensitivity. None when it can't be read: it is only ever a substitute.
pub(super) fn parse_announced(json: &[u8]) -> Vec<Parsed> {
    let Ok(announced) = serde_json::from_slice::<BTreeMap<String, AnnouncedOutput>>(json) else {
        return Vec::new();
    };
    let one = |(name, output): (String, AnnouncedOutput)| Parsed {
        name,
        value: output.value,
        detailed_type: output.detailed_type,
        sensitive: output.sensitive,
    };
    announced.into_iter().map(one).collect()
}

/// Which values are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Plain,
    All,
}

async fn open(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    row: OutputRow,
    show: Show,
) -> Result<Output> {
    let value = if row.sensitive && show == Show::Plain {
        None
    } else {
        let place = SealedPlace::new(SEALED_AS, &row.id);
        let text = app
            .keys
            .open_text(conn, tenant, &place, &row.sealed_value)
            .await?;
        let raw = RawValue::from_string(text.expose().clone());
        Some(raw.map_err(|_| Fault::Unreadable {
            what: "the value of an output",
        })?)
    };
    Ok(Output {
        id: row.id,
        name: row.name,
        sensitive: row.sensitive,
        kind: row.kind,
        detailed_type: row.detailed_type["type"].clone(),
        value,
    })
}

/// The outputs of a version, by name, without sensitive values; all of them without a `page`.
pub(super) async fn list(
    app: &App,
    ctx: &Context,
    found: &Found,
    page: Option<Page>,
) -> Result<Paged<Output>> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let rows = output_store::list(&mut conn, &tenant, &found.version.id, page).await?;
    let mut items = Vec::with_capacity(rows.items.len());
    for row in rows.items {
        items.push(open(app, &mut conn, &tenant, row, Show::Plain).await?);
    }
    Ok(Paged {
        items,
        total: rows.total,
    })
}

/// The ids of the outputs of each of `versions`.
pub(super) async fn ids(
    app: &App,
    ctx: &Context,
    versions: &[StateVersionId],
) -> Result<Vec<(StateVersionId, StateOutputId)>> {
    let mut conn = app.db.acquire().await?;
    Ok(output_store::ids(&mut conn, &ctx.tenant(), versions).await?)
}

/// One output, with its value if the caller may see secrets: by permission, or as a run that the
/// state is shared with.
pub(super) async fn read(app: &App, ctx: &Context, id: &StateOutputId) -> Result<Output> {
    let tenant = ctx.tenant();
    let mut conn = app.db.acquire().await?;
    let (row, version, workspace) = output_store::find(&mut conn, &tenant, id)
        .await?
        .ok_or(StateError::NotFound)?;
    let workspace = workspaces::find(&mut conn, &tenant, &workspace)
        .await?
        .ok_or(StateError::NotFound)?;
    let reach = reach(
        &mut conn,
        ctx,
        &workspace,
        Permission::StateVersionsReadOutputs,
    )
    .await?;
    let is_current = workspace.current_state_version_id.as_ref() == Some(&version);
    let show = match reach {
        Reach::Outputs if is_current => Show::All,
        Reach::Outputs => return Err(StateError::NotFound),
        Reach::All if authorize_on(ctx, Permission::StateVersionsRead, &workspace).is_ok() => {
            Show::All
        }
        Reach::All => Show::Plain,
    };
    open(app, &mut conn, &tenant, row, show).await
}
