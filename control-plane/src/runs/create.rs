//! Making a run: from what was asked for to a run in its workspace's queue, in one transaction.

use std::collections::BTreeMap;

use domain::ids::{ApplyId, ConfigurationVersionId, PlanId, RunId, WorkspaceId};
use domain::permission::Permission;
use domain::policy::PolicyStage;
use domain::run::{PhaseStatus, RunSource, RunStatus};
use domain::workspace::{ConfigurationStatus, ExecutionMode};
use serde_json::json;

use super::configuration::{self, ConfigurationVersion};
use super::error::RunError;
use super::gates;
use super::machine::{Gates, RunState};
use super::model::{Run, RunRequest, RunVariable};
use super::transition::wake_after;
use super::{actor::ActorStamp, queue, store};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::policies;
use crate::problem::Fault;
use crate::tenancy::SealedPlace;
use crate::workspaces::{self, Workspace};

type Result<T> = std::result::Result<T, RunError>;

/// What a create asks for; `None` takes the workspace's setting.
#[derive(Debug, Clone)]
pub struct NewRun {
    pub workspace: WorkspaceId,
    pub configuration: Option<ConfigurationVersionId>,
    pub source: RunSource,
    pub message: Option<String>,
    pub is_destroy: bool,
    pub refresh: bool,
    pub refresh_only: bool,
    pub target_addrs: Vec<String>,
    pub replace_addrs: Vec<String>,
    pub plan_only: Option<bool>,
    pub save_plan: bool,
    pub auto_apply: Option<bool>,
    pub allow_empty_apply: bool,
    pub allow_config_generation: bool,
    pub terraform_version: Option<String>,
    pub variables: Vec<RunVariable>,
}

impl NewRun {
    /// A plain run of a workspace.
    pub fn of(workspace: WorkspaceId, source: RunSource) -> Self {
        Self {
            workspace,
            configuration: None,
            source,
            message: None,
            is_destroy: false,
            refresh: true,
            refresh_only: false,
            target_addrs: Vec::new(),
            replace_addrs: Vec::new(),
            plan_only: None,
            save_plan: false,
            auto_apply: None,
            allow_empty_apply: false,
            allow_config_generation: false,
            terraform_version: None,
            variables: Vec::new(),
        }
    }
}

/// Makes a run and, if it is its turn, starts it: one transaction.
///
/// # Errors
/// The refusal, or [`RunError::Invalid`] naming what is wrong with the request.
pub async fn create(app: &App, ctx: &Context, new: NewRun) -> Result<Run> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let (workspace, proof) =
        workspaces::load_locked(&mut tx, ctx, &new.workspace, Permission::RunsCreate).await?;
    let version = configuration_for(&mut tx, ctx, &workspace, &new).await?;
    let plan_only = new.plan_only.unwrap_or(version.speculative) || version.speculative;
    check(&workspace, &new, plan_only)?;
    if !plan_only && new.auto_apply == Some(true) {
        workspaces::authorize_on(ctx, Permission::RunsApply, &workspace)?;
    }
    let run = build(&mut tx, ctx, &workspace, &version, &new, plan_only).await?;
    let sealed = seal_variables(app, &mut tx, &tenant, &run.id, &new.variables).await?;
    store::insert(&mut tx, &tenant, &run, sealed).await?;
    if run.state.gates.pre_plan {
        gates::announce(&mut tx, &tenant, &run.id, PolicyStage::PrePlan, ctx.now()).await?;
    }
    let stamp = ActorStamp::of(ctx);
    let status = run.status();
    store::insert_event(
        &mut tx,
        &tenant,
        &run.id,
        "create",
        None,
        status,
        &stamp,
        None,
        ctx.now(),
    )
    .await?;
    let detail = json!({ "run": run.id, "plan_only": plan_only, "destroy": new.is_destroy });
    audit::record(&mut tx, ctx, &proof, "run.create", detail).await?;
    queue::start_ready(app, &mut tx, ctx, &workspace.id).await?;
    if !plan_only && workspace.current_run_id.is_none() {
        workspaces::set_current_run(&mut tx, &tenant, &workspace.id, Some(&run.id)).await?;
    }
    let run = store::find(&mut tx, &tenant, &run.id)
        .await?
        .ok_or(RunError::NotFound)?;
    tx.commit().await?;
    wake_after(app, &run);
    Ok(run)
}

async fn configuration_for(
    tx: &mut db::Tx,
    ctx: &Context,
    workspace: &Workspace,
    new: &NewRun,
) -> Result<ConfigurationVersion> {
    let tenant = ctx.tenant();
    let version = match (&new.configuration, &workspace.git) {
        (Some(id), _) => configuration::find(tx, &tenant, id)
            .await?
            .filter(|version| version.workspace_id == workspace.id)
            .ok_or_else(|| {
                RunError::invalid_relationship(
                    "configuration-version",
                    "no such configuration version in this workspace",
                )
            })?,
        (None, Some(git)) => {
            let speculative = new.plan_only == Some(true);
            configuration::create_to_fetch(tx, ctx, workspace, git, speculative).await?
        }
        (None, None) => {
            configuration::default_for(tx, &tenant, workspace).await?.ok_or_else(|| {
                RunError::invalid_relationship(
                    "configuration-version",
                    "the workspace has no configuration yet; upload one, or bind it to a repository",
                )
            })?
        }
    };
    match version.status {
        ConfigurationStatus::Uploaded | ConfigurationStatus::Fetching => Ok(version),
        status @ (ConfigurationStatus::Pending
        | ConfigurationStatus::Archived
        | ConfigurationStatus::Errored) => Err(RunError::invalid_relationship(
            "configuration-version",
            format!("its status is {status}; upload its archive first"),
        )),
    }
}

fn check(workspace: &Workspace, new: &NewRun, plan_only: bool) -> Result<()> {
    let settings = &workspace.settings;
    if settings.execution_mode == ExecutionMode::Local {
        return Err(RunError::invalid_relationship(
            "workspace",
            "its execution mode is local: Terraform runs where you are, not here",
        ));
    }
    if new.is_destroy && !settings.allow_destroy_plan {
        return Err(RunError::invalid(
            "is-destroy",
            "the workspace doesn't allow destroy plans; change `allow-destroy-plan` first",
        ));
    }
    if new.is_destroy && new.refresh_only {
        return Err(RunError::invalid(
            "refresh-only",
            "a run can't refresh only and destroy",
        ));
    }
    if new.save_plan && (plan_only || new.auto_apply == Some(true)) {
        return Err(RunError::invalid(
            "save-plan",
            "a saved plan can be neither plan-only nor applied by itself",
        ));
    }
    if new.terraform_version.is_some() && !plan_only {
        return Err(RunError::invalid(
            "terraform-version",
            "another version than the workspace's is for plan-only runs",
        ));
    }
    if plan_only && !settings.speculative_enabled {
        return Err(RunError::invalid(
            "plan-only",
            "the workspace doesn't allow dry runs",
        ));
    }
    let addresses = new.target_addrs.len() + new.replace_addrs.len();
    if addresses > 1000 || new.variables.len() > 1000 {
        return Err(RunError::invalid(
            "target-addrs",
            "at most 1000 addresses and variables",
        ));
    }
    Ok(())
}

async fn build(
    tx: &mut db::Tx,
    ctx: &Context,
    workspace: &Workspace,
    version: &ConfigurationVersion,
    new: &NewRun,
    plan_only: bool,
) -> Result<Run> {
    let now = ctx.now();
    let settings = &workspace.settings;
    let needs_fetch = version.status == ConfigurationStatus::Fetching;
    let tenant = ctx.tenant();
    let before_plan = policies::in_force(tx, &tenant, workspace, PolicyStage::PrePlan).await?;
    let request = RunRequest {
        message: new
            .message
            .clone()
            .unwrap_or_else(|| default_message(new.source).to_owned()),
        is_destroy: new.is_destroy,
        refresh: new.refresh,
        refresh_only: new.refresh_only,
        target_addrs: new.target_addrs.clone(),
        replace_addrs: new.replace_addrs.clone(),
        save_plan: new.save_plan,
        auto_apply: new
            .auto_apply
            .unwrap_or(settings.auto_apply && !new.save_plan),
        allow_empty_apply: new.allow_empty_apply,
        allow_config_generation: new.allow_config_generation,
        terraform_version: new.terraform_version.clone(),
        structured_log: settings.structured_run_output && new.source != RunSource::Remote,
        needs_fetch,
    };
    let state = RunState {
        status: RunStatus::Pending,
        plan: PhaseStatus::Pending,
        apply: PhaseStatus::Pending,
        plan_only,
        save_plan: request.save_plan,
        auto_apply: request.auto_apply,
        allow_empty_apply: request.allow_empty_apply,
        needs_fetch,
        gates: Gates {
            pre_plan: !before_plan.is_empty(),
            ..Gates::default()
        },
        has_changes: false,
        holds_workspace: false,
        state_uncertain: false,
        cancel_requested_at: None,
        out_of_contact: false,
    };
    let number = workspaces::next_run_number(tx, &ctx.tenant(), &workspace.id).await?;
    Ok(Run {
        id: RunId::random(),
        account_id: workspace.account_id.clone(),
        environment_id: workspace.environment_id.clone(),
        project_id: workspace.project_id.clone(),
        workspace_id: workspace.id.clone(),
        configuration_version_id: version.id.clone(),
        plan_id: PlanId::random(),
        apply_id: ApplyId::random(),
        number,
        version: 1,
        state,
        request,
        source: new.source,
        plan_result: None,
        apply_result: None,
        error: None,
        timestamps: BTreeMap::from([("queued-at".to_owned(), now)]),
        plan_archive: None,
        plan_json: None,
        plan_redacted: None,
        created_by_kind: ctx.actor.kind,
        created_by_id: ctx.actor.id.clone(),
        created_by_name: ctx.actor.name.clone(),
        created_at: now,
    })
}

fn default_message(source: RunSource) -> &'static str {
    match source {
        RunSource::Cloud | RunSource::Remote => "Triggered via CLI",
        RunSource::Api => "Triggered via API",
        RunSource::Ui => "Triggered via UI",
    }
}

fn variables_place(run: &RunId) -> SealedPlace {
    SealedPlace::new("run-variables", run)
}

async fn seal_variables(
    app: &App,
    tx: &mut db::Tx,
    tenant: &Tenant,
    run: &RunId,
    variables: &[RunVariable],
) -> Result<Option<Vec<u8>>> {
    if variables.is_empty() {
        return Ok(None);
    }
    let text = serde_json::to_vec(variables).map_err(|_| Fault::Unreadable {
        what: "run variables",
    })?;
    Ok(Some(
        app.keys
            .seal(tx, tenant, &variables_place(run), &text)
            .await?,
    ))
}

/// The variables given for one run.
///
/// # Errors
/// The database's or the vault's own.
pub async fn variables_of(
    app: &App,
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &RunId,
) -> Result<Vec<RunVariable>> {
    let Some(sealed) = store::sealed_variables(conn, tenant, run).await? else {
        return Ok(Vec::new());
    };
    let text = app
        .keys
        .open(conn, tenant, &variables_place(run), &sealed)
        .await?;
    Ok(
        serde_json::from_slice(text.expose()).map_err(|_| Fault::Unreadable {
            what: "run variables",
        })?,
    )
}

/// The run that an upload asked for.
///
/// # Errors
/// As [`create`].
pub async fn create_for_upload(
    app: &App,
    tenant: &Tenant,
    version: &ConfigurationVersion,
) -> Result<Run> {
    let ctx = configuration::uploader(app, tenant, version);
    let mut new = NewRun::of(version.workspace_id.clone(), RunSource::Api);
    new.configuration = Some(version.id.clone());
    new.message = Some("Queued by the upload of its configuration".to_owned());
    create(app, &ctx, new).await
}
