//! Use cases of links: who may use which configuration.

use domain::ids::{ProviderConfigurationId, ProviderLinkId, WorkspaceId};
use domain::permission::Permission;
use serde_json::{Value, json};

use super::error::ConfigurationError;
use super::model::{Configuration, Link, MAX_LINKS, check_alias};
use super::{link_store, service, store};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::iam::{Authorized, Target, authorize};
use crate::workspaces::{self, Workspace, WorkspaceKey};

type Result<T> = std::result::Result<T, ConfigurationError>;

/// Uses of a configuration that are listed.
const LISTED: i64 = 1000;

fn described(link: &Link) -> Value {
    json!({ "configuration": link.configuration_id, "name": link.configuration_name,
        "alias": link.alias })
}

pub(super) async fn of_workspace(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
) -> Result<Vec<Link>> {
    let mut conn = app.db.acquire().await?;
    let key = WorkspaceKey::Id(workspace.clone());
    let permission = Permission::WorkspacesRead;
    let (found, _) = workspaces::load(&mut conn, ctx, &key, permission).await?;
    Ok(link_store::of_workspace(&mut conn, &ctx.tenant(), &found.id).await?)
}

/// Which workspaces use a configuration, by name.
pub(super) async fn of_configuration(
    app: &App,
    ctx: &Context,
    id: &ProviderConfigurationId,
) -> Result<Vec<Link>> {
    let mut conn = app.db.acquire().await?;
    let permission = Permission::ProviderConfigurationsRead;
    service::load(&mut conn, ctx, id, permission).await?;
    Ok(link_store::of_configuration(&mut conn, &ctx.tenant(), id, LISTED).await?)
}

/// Whether workspaces of the environment may use the configuration.
async fn is_usable(
    conn: &mut db::Conn,
    tenant: &Tenant,
    it: &Configuration,
    workspace: &Workspace,
) -> Result<bool> {
    let environment = &workspace.environment_id;
    Ok(match &it.environment_id {
        Some(own) => own == environment,
        None if it.is_shared => true,
        None => {
            let shared = store::environments(conn, tenant, &it.id).await?;
            shared.contains(environment)
        }
    })
}

pub(super) async fn create(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    id: &ProviderConfigurationId,
    alias: String,
) -> Result<Link> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let permission = Permission::WorkspacesLinkProviderConfiguration;
    let (workspace, proof) = workspaces::load_locked(&mut tx, ctx, workspace, permission).await?;
    check_alias(&alias)?;
    let unknown = || {
        ConfigurationError::relationship(
            "provider-configuration",
            format!("{id} is no provider configuration that this workspace may use"),
        )
    };
    let row = store::find(&mut tx, &tenant, id)
        .await?
        .ok_or_else(unknown)?;
    let it = row.configuration;
    if !is_usable(&mut tx, &tenant, &it, &workspace).await? {
        return Err(unknown());
    }
    let there = link_store::of_workspace(&mut tx, &tenant, &workspace.id).await?;
    if i64::try_from(there.len()).unwrap_or(i64::MAX) >= MAX_LINKS {
        return Err(ConfigurationError::TooMany { limit: MAX_LINKS });
    }
    let link = Link {
        id: ProviderLinkId::random(),
        configuration_id: it.id,
        configuration_name: it.name,
        workspace_id: workspace.id,
        workspace_name: workspace.name,
        environment_id: workspace.environment_id,
        project_id: workspace.project_id,
        alias,
        created_at: ctx.now(),
    };
    link_store::insert(&mut tx, &tenant, &link)
        .await
        .map_err(|error| {
            if error.is_unique_violation() {
                ConfigurationError::AlreadyLinked
            } else {
                error.into()
            }
        })?;
    let detail = described(&link);
    audit::record(&mut tx, ctx, &proof, "provider-configuration.link", detail).await?;
    tx.commit().await?;
    Ok(link)
}

async fn load(tx: &mut db::Tx, ctx: &Context, id: &ProviderLinkId) -> Result<(Link, Authorized)> {
    let link = link_store::find(tx, &ctx.tenant(), id)
        .await?
        .ok_or(ConfigurationError::NotFound)?;
    let target = Target::new("provider-configuration-links", id)
        .in_environment(&link.environment_id)
        .in_project(&link.project_id)
        .in_workspace(&link.workspace_id);
    let permission = Permission::WorkspacesLinkProviderConfiguration;
    let proof = authorize(ctx, permission, target)?;
    Ok((link, proof))
}

pub(super) async fn delete(app: &App, ctx: &Context, id: &ProviderLinkId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (link, proof) = load(&mut tx, ctx, id).await?;
    link_store::delete(&mut tx, &ctx.tenant(), id).await?;
    let detail = described(&link);
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "provider-configuration.unlink",
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}
