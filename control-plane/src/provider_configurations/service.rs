//! Use cases: begin → load → authorise → decide → compare-and-set → audit → commit.

use domain::Secret;
use domain::ids::{EnvironmentId, ProviderConfigurationId};
use domain::permission::Permission;
use domain::provider::{AccessMethod, Provider};
use serde_json::{Value, json};

use super::error::ConfigurationError;
use super::model::{
    Configuration, ConfigurationChange, MAX_CONFIGURATIONS, NewConfiguration, Secrets,
};
use super::{kinds, link_store, store};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};
use crate::problem::Fault;
use crate::run_identity;
use crate::tenancy::{self, SealedPlace};

type Result<T> = std::result::Result<T, ConfigurationError>;

/// A configuration with the environments it is shared with.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub configuration: Configuration,
    pub environments: Vec<EnvironmentId>,
}

pub(super) fn target(configuration: &Configuration) -> Target {
    let target = Target::new("provider-configurations", &configuration.id);
    match &configuration.environment_id {
        Some(environment) => target.in_environment(environment),
        None => target,
    }
}

/// What the audit log may know.
fn described(it: &Configuration) -> Value {
    json!({
        "name": it.name, "provider": it.provider, "method": it.method, "settings": it.settings,
        "secrets": it.secret_names, "environment": it.environment_id,
        "apply_only": it.apply_only, "default": it.is_default, "shared": it.is_shared,
    })
}

fn place(id: &ProviderConfigurationId) -> SealedPlace {
    SealedPlace::new("provider-configuration", id)
}

async fn seal(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    id: &ProviderConfigurationId,
    secrets: &Secrets,
) -> Result<Vec<u8>> {
    let plain: std::collections::BTreeMap<&String, &String> = secrets
        .iter()
        .map(|(name, value)| (name, value.expose()))
        .collect();
    let text = serde_json::to_vec(&plain).map_err(|_| Fault::Unreadable {
        what: "the secrets of a provider configuration",
    })?;
    Ok(app.keys.seal(conn, tenant, &place(id), &text).await?)
}

/// The secrets of a stored configuration.
pub(super) async fn open(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    row: &store::Row,
) -> Result<Secrets> {
    let place = place(&row.configuration.id);
    let text = app
        .keys
        .open(conn, tenant, &place, &row.sealed_secrets)
        .await?;
    let plain: std::collections::BTreeMap<String, String> = serde_json::from_slice(text.expose())
        .map_err(|_| Fault::Unreadable {
        what: "the secrets of a provider configuration",
    })?;
    Ok(plain
        .into_iter()
        .map(|(name, value)| (name, Secret::new(value)))
        .collect())
}

fn name_taken(error: db::Error) -> ConfigurationError {
    if error.is_unique_violation() {
        ConfigurationError::NameTaken
    } else {
        error.into()
    }
}

/// The environments that are named, each by name or id.
async fn environments_of(
    conn: &mut db::Conn,
    tenant: &Tenant,
    named: &[String],
) -> Result<Vec<EnvironmentId>> {
    let mut found = Vec::with_capacity(named.len());
    for name in named {
        let environment = tenancy::find_environment(conn, tenant, name).await?;
        let environment = environment.ok_or_else(|| {
            ConfigurationError::relationship("environments", format!("{name:?} is no environment"))
        })?;
        if !found.contains(&environment.id) {
            found.push(environment.id);
        }
    }
    Ok(found)
}

/// # Errors
/// [`ConfigurationError::Invalid`] where sharing has no meaning.
fn check_sharing(it: &Configuration, environments: &[EnvironmentId]) -> Result<()> {
    if it.environment_id.is_some() && (it.is_shared || !environments.is_empty()) {
        return Err(ConfigurationError::invalid(
            "is-shared",
            "it belongs to one environment; make one of the account to share it",
        ));
    }
    if it.is_shared && !environments.is_empty() {
        return Err(ConfigurationError::relationship(
            "environments",
            "it is shared with every environment; name none, or set `is-shared` to false",
        ));
    }
    Ok(())
}

pub(super) async fn list(
    app: &App,
    ctx: &Context,
    provider: Option<Provider>,
    page: Page,
) -> Result<Paged<Configuration>> {
    let target = Target::new("accounts", &ctx.actor.account);
    authorize(ctx, Permission::ProviderConfigurationsRead, target)?;
    let mut conn = app.db.acquire().await?;
    Ok(store::list(&mut conn, &ctx.tenant(), provider, page).await?)
}

pub(super) async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &ProviderConfigurationId,
    permission: Permission,
) -> Result<(store::Row, Authorized)> {
    let row = store::find(conn, &ctx.tenant(), id)
        .await?
        .ok_or(ConfigurationError::NotFound)?;
    let proof = authorize(ctx, permission, target(&row.configuration))?;
    Ok((row, proof))
}

pub(super) async fn read(app: &App, ctx: &Context, id: &ProviderConfigurationId) -> Result<Shared> {
    let mut conn = app.db.acquire().await?;
    let permission = Permission::ProviderConfigurationsRead;
    let (row, _) = load(&mut conn, ctx, id, permission).await?;
    let environments = store::environments(&mut conn, &ctx.tenant(), id).await?;
    Ok(Shared {
        configuration: row.configuration,
        environments,
    })
}

pub(super) async fn create(app: &App, ctx: &Context, new: NewConfiguration) -> Result<Shared> {
    let tenant = ctx.tenant();
    if new.method == AccessMethod::Oidc {
        run_identity::ensure_key(app, &tenant).await?;
    }
    let mut tx = app.db.begin().await?;
    let environment_id = match &new.environment {
        Some(name) => {
            let found = tenancy::find_environment(&mut tx, &tenant, name).await?;
            let found = found.ok_or_else(|| {
                let detail = format!("{name:?} is no environment");
                ConfigurationError::relationship("environment", detail)
            })?;
            Some(found.id)
        }
        None => None,
    };
    let now = ctx.now();
    let configuration = Configuration {
        id: ProviderConfigurationId::random(),
        environment_id,
        name: new.name,
        provider: new.provider,
        method: new.method,
        settings: new.settings,
        secret_names: new.secrets.keys().cloned().collect(),
        apply_only: new.apply_only,
        is_default: new.is_default,
        is_shared: new.is_shared,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let permission = Permission::ProviderConfigurationsManage;
    let proof = authorize(ctx, permission, target(&configuration))?;
    configuration.check_name()?;
    let it = &configuration;
    kinds::check(it.provider, it.method, &it.settings, &new.secrets)?;
    let environments = environments_of(&mut tx, &tenant, &new.environments).await?;
    check_sharing(it, &environments)?;
    // Counted under a lock, so that two don't pass the limit together.
    tx.lock_row("accounts", tenant.account()).await?;
    if store::count(&mut tx, &tenant).await? >= MAX_CONFIGURATIONS {
        let limit = MAX_CONFIGURATIONS;
        return Err(ConfigurationError::TooMany { limit });
    }
    let sealed = seal(app, &mut tx, &tenant, &it.id, &new.secrets).await?;
    store::insert(&mut tx, &tenant, it, &sealed)
        .await
        .map_err(name_taken)?;
    store::share_with(&mut tx, &tenant, &it.id, &environments).await?;
    let detail = described(it);
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "provider-configuration.create",
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(Shared {
        configuration,
        environments,
    })
}

pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &ProviderConfigurationId,
    change: ConfigurationChange,
) -> Result<Shared> {
    let tenant = ctx.tenant();
    if change.method == Some(AccessMethod::Oidc) {
        run_identity::ensure_key(app, &tenant).await?;
    }
    let mut tx = app.db.begin().await?;
    let permission = Permission::ProviderConfigurationsManage;
    let (row, proof) = load(&mut tx, ctx, id, permission).await?;
    let before = described(&row.configuration);
    let mut secrets = open(app, &mut tx, &tenant, &row).await?;
    let mut it = row.configuration;
    let new_secrets: Vec<String> = change.secrets.keys().cloned().collect();
    for (name, value) in change.secrets {
        match value {
            Some(value) => secrets.insert(name, value),
            None => secrets.remove(&name),
        };
    }
    it.name = change.name.unwrap_or(it.name);
    it.method = change.method.unwrap_or(it.method);
    it.settings = change.settings.unwrap_or(it.settings);
    it.apply_only = change.apply_only.unwrap_or(it.apply_only);
    it.is_default = change.is_default.unwrap_or(it.is_default);
    it.is_shared = change.is_shared.unwrap_or(it.is_shared);
    it.secret_names = secrets.keys().cloned().collect();
    it.updated_at = ctx.now();
    it.check_name()?;
    kinds::check(it.provider, it.method, &it.settings, &secrets)?;
    let environments = match &change.environments {
        Some(named) => environments_of(&mut tx, &tenant, named).await?,
        None => store::environments(&mut tx, &tenant, id).await?,
    };
    check_sharing(&it, &environments)?;
    let sealed = seal(app, &mut tx, &tenant, id, &secrets).await?;
    if !store::update(&mut tx, &tenant, &it, &sealed)
        .await
        .map_err(name_taken)?
    {
        return Err(ConfigurationError::Changed);
    }
    it.version += 1;
    store::share_with(&mut tx, &tenant, id, &environments).await?;
    let detail = json!({ "before": before, "after": described(&it), "new_secrets": new_secrets });
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "provider-configuration.update",
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(Shared {
        configuration: it,
        environments,
    })
}

/// How many workspaces an error names.
const NAMED: i64 = 5;

pub(super) async fn delete(app: &App, ctx: &Context, id: &ProviderConfigurationId) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let permission = Permission::ProviderConfigurationsManage;
    let (row, proof) = load(&mut tx, ctx, id, permission).await?;
    let users = link_store::of_configuration(&mut tx, &tenant, id, NAMED).await?;
    if !users.is_empty() {
        let names: Vec<String> = users.into_iter().map(|it| it.workspace_name).collect();
        let workspaces = names.join(", ");
        return Err(ConfigurationError::InUse { workspaces });
    }
    store::delete(&mut tx, &tenant, id).await?;
    let detail = described(&row.configuration);
    audit::record(
        &mut tx,
        ctx,
        &proof,
        "provider-configuration.delete",
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}
