//! What policies are told of a run besides its plan.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use domain::access::ActorKind;
use domain::run::RunSource;
use domain::workspace::Engine;
use policy::input::{
    Author, Commit, CostEstimate, Named, Run as Facts, VariableKind, Vcs, Workspace as Place,
};

use crate::app::App;
use crate::context::Tenant;
use crate::problem::Fault;
use crate::runs::configuration::{self, Fetched};
use crate::runs::error::RunError;
use crate::runs::model::Run;
use crate::variables::EffectiveVariable;
use crate::workspaces::{self, GitSource, Workspace};
use crate::{iam, tenancy, variables};

/// Gathers the facts about `run` as they are now.
///
/// # Errors
/// The database's own, or a key's.
pub(super) async fn of_run(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &Run,
    cost_estimate: Option<CostEstimate>,
) -> Result<Facts, RunError> {
    let workspace = workspaces::find(conn, tenant, &run.workspace_id)
        .await?
        .ok_or(RunError::NotFound)?;
    let place = (&run.environment_id, Some(&workspace.project_id));
    let project = tenancy::find_project(conn, tenant, place.0, place.1).await?;
    let version = configuration::find(conn, tenant, &run.configuration_version_id).await?;
    let fetched = version.and_then(|version| version.git);
    let request = &run.request;
    Ok(Facts {
        id: run.id.to_string(),
        created_at: run.created_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        source: source(run.source, fetched.is_some()).to_owned(),
        message: request.message.clone(),
        is_destroy: request.is_destroy,
        is_dry: run.state.plan_only,
        refresh_only: request.refresh_only,
        target_addresses: request.target_addrs.clone(),
        replace_addresses: request.replace_addrs.clone(),
        created_by: author(conn, tenant, run).await?,
        environment: Named {
            id: run.environment_id.to_string(),
            name: workspace.environment_name.clone(),
        },
        project: Named {
            id: workspace.project_id.to_string(),
            name: project.map(|it| it.name).unwrap_or_default(),
        },
        vcs: fetched.map(|fetched| vcs(workspace.git.as_ref(), &workspace, fetched)),
        workspace: described(conn, tenant, &workspace).await?,
        cost_estimate,
        variables: variable_kinds(app, conn, tenant, run).await?,
    })
}

fn source(source: RunSource, fetched: bool) -> &'static str {
    match source {
        RunSource::Cloud | RunSource::Remote => "cli",
        RunSource::Ui => "ui",
        RunSource::Api if fetched => "vcs",
        RunSource::Api => "api",
    }
}

async fn author(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &Run,
) -> Result<Option<Author>, RunError> {
    if run.created_by_kind != ActorKind::User {
        return Ok(None);
    }
    let member = match run.created_by_id.parse() {
        Ok(id) => iam::find_member(conn, tenant, &id).await?,
        Err(_) => None,
    };
    Ok(Some(Author {
        username: run.created_by_name.clone(),
        name: run.created_by_name.clone(),
        email: member.map(|it| it.email).unwrap_or_default(),
    }))
}

async fn described(
    conn: &mut db::Conn,
    tenant: &Tenant,
    workspace: &Workspace,
) -> Result<Place, RunError> {
    let tags = workspaces::find_tags(conn, tenant, &workspace.id).await?;
    let settings = &workspace.settings;
    let filled = |text: &String| (!text.is_empty()).then(|| text.clone());
    Ok(Place {
        id: workspace.id.to_string(),
        name: workspace.name.clone(),
        description: filled(&settings.description),
        auto_apply: settings.auto_apply,
        working_directory: filled(&settings.working_directory),
        environment_type: "unmapped".to_owned(),
        tags: tags.iter().map(tag_text).collect(),
        iac_platform: match settings.engine {
            Engine::Terraform => "terraform",
            Engine::Tofu => "tofu",
        }
        .to_owned(),
        execution_mode: settings.execution_mode.to_string(),
        ..Place::default()
    })
}

/// A binding with a value is one word, `key:value`: policies know tags as words.
fn tag_text(tag: &workspaces::TagBinding) -> String {
    if tag.value.is_empty() {
        tag.key.clone()
    } else {
        format!("{}:{}", tag.key, tag.value)
    }
}

fn vcs(git: Option<&GitSource>, workspace: &Workspace, fetched: Fetched) -> Vcs {
    let directory = &workspace.settings.working_directory;
    Vcs {
        repository_id: fetched.url,
        path: (!directory.is_empty()).then(|| directory.clone()),
        branch: git.map_or(fetched.reference, |git| git.reference.clone()),
        commit: Commit {
            sha: fetched.commit,
            message: fetched.message,
            author: Author {
                name: fetched.author,
                ..Author::default()
            },
        },
        pull_request: None,
    }
}

async fn variable_kinds(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &Run,
) -> Result<BTreeMap<String, VariableKind>, RunError> {
    let own = variables_of(app, conn, tenant, run).await?;
    let given = crate::runs::variables_of(app, conn, tenant, &run.id).await?;
    let mut kinds = BTreeMap::new();
    for it in given {
        let kind = VariableKind {
            category: "terraform".to_owned(),
            sensitive: false,
        };
        kinds.insert(it.key, kind);
    }
    for it in own {
        let kind = VariableKind {
            category: it.category.to_string(),
            sensitive: it.sensitive,
        };
        if it.is_final {
            kinds.insert(it.key, kind);
        } else {
            kinds.entry(it.key).or_insert(kind);
        }
    }
    Ok(kinds)
}

/// The variables that a run gets from its workspace and what is above it.
///
/// # Errors
/// A fault of the database or a key.
pub(super) async fn variables_of(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &Run,
) -> Result<Vec<EffectiveVariable>, RunError> {
    let (environment, workspace) = (&run.environment_id, &run.workspace_id);
    Ok(
        variables::effective(app, conn, tenant, environment, workspace)
            .await
            .map_err(|error| {
                tracing::error!(run = %run.id, error = &error as &dyn std::error::Error,
                "variables can't be read for a policy check");
                Fault::Unreadable {
                    what: "the workspace's variables",
                }
            })?,
    )
}
