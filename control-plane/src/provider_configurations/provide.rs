//! What a phase of a run gets, put together.

use std::collections::HashMap;

use domain::Secret;
use domain::ids::{EnvironmentId, ProviderConfigurationId, WorkspaceId};
use domain::provider::{AccessMethod, Provider};

use super::error::ConfigurationError;
use super::inject::Provided;
use super::model::{Configuration, Secrets};
use super::resolve::{Candidate, resolve};
use super::{link_store, service, store};
use crate::app::App;
use crate::context::Tenant;
use crate::run_identity::{self, Phase, RunFacts};

type Result<T> = std::result::Result<T, ConfigurationError>;

/// Whose run it is.
#[derive(Debug, Clone, Copy)]
pub struct Beneficiary<'a> {
    pub environment: &'a EnvironmentId,
    pub workspace: &'a WorkspaceId,
}

/// For whom an identity is meant, unless the configuration says so.
fn audience(it: &Configuration) -> String {
    if let Some(audience) = it.settings.get("audience") {
        return audience.clone();
    }
    match it.provider {
        Provider::Aws => "aws.workload.identity".to_owned(),
        Provider::Azure => "api://AzureADTokenExchange".to_owned(),
        Provider::Google => {
            let provider = it.settings.get("workload-provider");
            let provider = provider.map(String::as_str).unwrap_or_default();
            format!("https://iam.googleapis.com/{provider}")
        }
        Provider::Kubernetes => "kubernetes".to_owned(),
        Provider::Vault => "vault.workload.identity".to_owned(),
        Provider::Custom => String::new(),
    }
}

struct Found {
    candidates: Vec<Candidate>,
    secrets: HashMap<ProviderConfigurationId, Secrets>,
}

async fn find(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    of: Beneficiary<'_>,
) -> Result<Found> {
    let rows = store::candidates(conn, tenant, of.environment, of.workspace).await?;
    let links = link_store::of_workspace(conn, tenant, of.workspace).await?;
    let mut found = Found {
        candidates: Vec::with_capacity(rows.len()),
        secrets: HashMap::with_capacity(rows.len()),
    };
    for row in rows {
        let secrets = service::open(app, conn, tenant, &row).await?;
        let configuration = row.configuration;
        found.secrets.insert(configuration.id.clone(), secrets);
        let linked = links
            .iter()
            .filter(|link| link.configuration_id == configuration.id);
        let aliases = linked.map(|link| link.alias.clone()).collect();
        found.candidates.push(Candidate {
            configuration,
            aliases,
        });
    }
    Ok(found)
}

/// What the phase that `facts` are about receives. For work of the control plane itself: the caller
/// has authorised the run, and holds its lease.
///
/// # Errors
/// The database's, the vault's or the signer's own.
pub async fn provide(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    of: Beneficiary<'_>,
    facts: &RunFacts,
) -> Result<Provided> {
    let found = find(app, conn, tenant, of).await?;
    let mut provided = Provided::default();
    for (configuration, alias) in resolve(found.candidates, facts.phase) {
        let token = match configuration.method {
            AccessMethod::Oidc => {
                let audience = audience(&configuration);
                Some(run_identity::issue(app, conn, tenant, facts, &audience).await?)
            }
            AccessMethod::Static | AccessMethod::AssumeRole => None,
        };
        let none = Secrets::new();
        let secrets = found.secrets.get(&configuration.id).unwrap_or(&none);
        provided.add(&configuration, secrets, token.as_ref(), &alias);
    }
    Ok(provided.finish())
}

/// Every stored secret that runs of the workspace may receive in either phase: what must not be shown
/// to policies.
///
/// # Errors
/// The database's or the vault's own.
pub async fn secrets_of(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    of: Beneficiary<'_>,
) -> Result<Vec<Secret>> {
    let mut found = find(app, conn, tenant, of).await?;
    let mut secrets = Vec::new();
    for phase in [Phase::Plan, Phase::Apply] {
        for (configuration, _) in resolve(found.candidates.clone(), phase) {
            let own = found.secrets.remove(&configuration.id).unwrap_or_default();
            secrets.extend(own.into_values());
        }
    }
    Ok(secrets)
}
