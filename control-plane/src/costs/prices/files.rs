//! Files that estimates are made with: assumed usage of an environment or a workspace, and price rows
//! of an account. A file is checked whole before it replaces the one before it.

use std::sync::Arc;

use ::cost::{Book, Usage, parse_csv};
use domain::ids::{EnvironmentId, WorkspaceId};
use domain::permission::Permission;
use rust_decimal::Decimal;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::store;
use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::costs::CostError;
use crate::costs::revision;
use crate::http::error::chain;
use crate::iam::{Authorized, Target, authorize};
use crate::tenancy;
use crate::workspaces::{self, WorkspaceKey};

/// Largest usage file, in bytes.
pub(super) const LARGEST_USAGE: usize = 256 * 1024;
/// Largest table of price rows, in bytes.
pub(super) const LARGEST_ROWS: usize = 1024 * 1024;
/// Most price rows of an account.
const MOST_ROWS: usize = 5_000;

type Result<T> = std::result::Result<T, CostError>;

/// What a file is for.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// Price rows.
    Account,
    /// Usage; by name or id.
    Environment(String),
    /// Usage.
    Workspace(WorkspaceId),
}

struct Found {
    subject: String,
    environment: Option<EnvironmentId>,
    workspace: Option<WorkspaceId>,
    proof: Authorized,
}

async fn find(
    conn: &mut db::Conn,
    ctx: &Context,
    place: &Place,
    permission: Permission,
) -> Result<Found> {
    Ok(match place {
        Place::Account => {
            let subject = ctx.tenant().account().to_string();
            let proof = authorize(ctx, permission, Target::new("accounts", &subject))?;
            Found {
                subject,
                environment: None,
                workspace: None,
                proof,
            }
        }
        Place::Environment(name) => {
            let found = tenancy::find_environment(conn, &ctx.tenant(), name)
                .await?
                .ok_or(CostError::NotFound)?;
            let target = Target::new("organizations", &found.name).in_environment(&found.id);
            Found {
                subject: found.id.to_string(),
                environment: Some(found.id),
                workspace: None,
                proof: authorize(ctx, permission, target)?,
            }
        }
        Place::Workspace(id) => {
            let key = WorkspaceKey::Id(id.clone());
            let (workspace, proof) = workspaces::load(conn, ctx, &key, permission).await?;
            Found {
                subject: workspace.id.to_string(),
                environment: None,
                workspace: Some(workspace.id),
                proof,
            }
        }
    })
}

pub(super) async fn read(app: &App, ctx: &Context, place: &Place) -> Result<String> {
    let mut conn = app.db.acquire().await?;
    let found = find(&mut conn, ctx, place, Permission::CostPricesRead).await?;
    store::content(&mut conn, &ctx.tenant(), &found.subject)
        .await?
        .ok_or(CostError::NotFound)
}

pub(super) async fn put(app: &App, ctx: &Context, place: &Place, bytes: &[u8]) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let found = find(&mut tx, ctx, place, Permission::CostPricesManage).await?;
    let content = check(place, bytes)?;
    let sha256 = hex::encode(Sha256::digest(content.as_bytes()));
    let file = store::File {
        subject: &found.subject,
        environment: found.environment.as_ref(),
        workspace: found.workspace.as_ref(),
        content,
        sha256: &sha256,
    };
    store::put_file(&mut tx, &ctx.tenant(), &file, ctx.now()).await?;
    revision::raise(&mut tx, &ctx.tenant(), &found.subject).await?;
    let detail = json!({ "subject": found.subject, "sha256": sha256, "bytes": content.len() });
    audit::record(&mut tx, ctx, &found.proof, "cost-file.put", detail).await?;
    tx.commit().await?;
    app.signals.costs.wake();
    Ok(())
}

pub(super) async fn delete(app: &App, ctx: &Context, place: &Place) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let found = find(&mut tx, ctx, place, Permission::CostPricesManage).await?;
    if !store::delete_file(&mut tx, &ctx.tenant(), &found.subject).await? {
        return Err(CostError::NotFound);
    }
    revision::raise(&mut tx, &ctx.tenant(), &found.subject).await?;
    let detail = json!({ "subject": found.subject });
    audit::record(&mut tx, ctx, &found.proof, "cost-file.delete", detail).await?;
    tx.commit().await?;
    app.signals.costs.wake();
    Ok(())
}

fn bad(reason: impl Into<String>) -> CostError {
    CostError::BadFile {
        reason: reason.into(),
    }
}

/// The file as text, if an estimate can be made with it.
fn check<'a>(place: &Place, bytes: &'a [u8]) -> Result<&'a str> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8 text"))?;
    if text.contains('\0') {
        return Err(bad("it holds the character U+0000; leave it out"));
    }
    let (largest, what) = match place {
        Place::Account => (LARGEST_ROWS, "a table of prices"),
        Place::Environment(_) | Place::Workspace(_) => (LARGEST_USAGE, "a usage file"),
    };
    if text.len() > largest {
        return Err(bad(format!("{what} has at most {largest} bytes")));
    }
    match place {
        Place::Account => check_rows(text)?,
        Place::Environment(_) | Place::Workspace(_) => {
            Usage::parse(text).map_err(|error| bad(chain(&error)))?;
        }
    }
    Ok(text)
}

fn check_rows(text: &str) -> Result<()> {
    let rows = parse_csv(text.as_bytes()).map_err(|error| bad(chain(&error)))?;
    if rows.is_empty() {
        return Err(bad(
            "it has no rows; to have no prices of your own, delete it",
        ));
    }
    if rows.len() > MOST_ROWS {
        return Err(bad(format!(
            "it has {} rows, and {MOST_ROWS} is the most",
            rows.len()
        )));
    }
    for (index, row) in rows.iter().enumerate() {
        let line = index + 2;
        let wrong = [
            (row.provider.is_empty(), "provider is empty"),
            (
                row.region.is_empty(),
                "region is empty; `global` is for all",
            ),
            (row.key.is_empty(), "key is empty; it names the meter"),
            (row.price < Decimal::ZERO, "price_usd is below 0"),
            (row.start < Decimal::ZERO, "start_usage is below 0"),
        ];
        if let Some((_, reason)) = wrong.iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(bad(format!("line {line}: {reason}")));
        }
    }
    // Packing finds what can't be told apart.
    let own = ::cost::pack(&rows).and_then(|bytes| Book::from_bytes(&bytes));
    own.map(Arc::new).map_err(|error| bad(chain(&error)))?;
    Ok(())
}
