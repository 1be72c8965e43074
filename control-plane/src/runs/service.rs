//! Use cases of runs: create, read, list, and what people do to them.

use std::collections::BTreeMap;

use domain::access::ActorKind;
use domain::ids::{ApplyId, BlobId, ConfigurationVersionId, PlanId, RunId, WorkspaceId};
use domain::permission::Permission;
use domain::run::{PhaseStatus, RunSource, RunStatus};
use domain::workspace::{ConfigurationStatus, ExecutionMode};
use serde_json::json;

use super::configuration::{self, ConfigurationVersion};
use super::error::RunError;
use super::machine::{Event, FORCE_CANCEL_AFTER, RunState, force_cancel_at};
use super::model::{Run, RunEvent, RunFilter, RunRequest, RunVariable};
use super::transition::{advance, wake_after};
use super::{actor::ActorStamp, queue, store};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::http::page::{Page, Paged};
use crate::iam::{Authorized, Target, authorize};
use crate::problem::Fault;
use crate::tenancy::{self, Environment, SealedPlace};
use crate::workspaces::{self, Workspace, WorkspaceKey};

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
        status => Err(RunError::invalid_relationship(
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

fn authorize_run(ctx: &Context, permission: Permission, run: &Run) -> Result<Authorized> {
    let target = Target::new("runs", &run.id)
        .in_environment(&run.environment_id)
        .in_workspace(&run.workspace_id);
    Ok(authorize(ctx, permission, target)?)
}

/// Reads a run that the caller may see.
///
/// # Errors
/// [`RunError::NotFound`] or the refusal.
pub async fn read(app: &App, ctx: &Context, id: &RunId) -> Result<Run> {
    load(app, ctx, id, Permission::RunsRead)
        .await
        .map(|(run, _)| run)
}

async fn load(
    app: &App,
    ctx: &Context,
    id: &RunId,
    permission: Permission,
) -> Result<(Run, Authorized)> {
    let mut conn = app.db.acquire().await?;
    let run = store::find(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(RunError::NotFound)?;
    let proof = authorize_run(ctx, permission, &run)?;
    Ok((run, proof))
}

pub async fn read_by_plan(app: &App, ctx: &Context, id: &PlanId) -> Result<Run> {
    let mut conn = app.db.acquire().await?;
    let run = store::find_by_plan(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(RunError::NotFound)?;
    authorize_run(ctx, Permission::RunsRead, &run)?;
    Ok(run)
}

pub async fn read_by_apply(app: &App, ctx: &Context, id: &ApplyId) -> Result<Run> {
    let mut conn = app.db.acquire().await?;
    let run = store::find_by_apply(&mut conn, &ctx.tenant(), id)
        .await?
        .ok_or(RunError::NotFound)?;
    authorize_run(ctx, Permission::RunsRead, &run)?;
    Ok(run)
}

/// The run behind a signed log URL: its bearer has no token.
///
/// # Errors
/// [`RunError::NotFound`].
pub async fn of_phase(app: &App, plan_or_apply: &str) -> Result<Run> {
    let mut conn = app.db.acquire().await?;
    let (account, run) = store::account_of_phase(&mut conn, plan_or_apply)
        .await?
        .ok_or(RunError::NotFound)?;
    store::find(&mut conn, &Tenant::of_row(&account), &run)
        .await?
        .ok_or(RunError::NotFound)
}

/// The JSON plan with sensitive values in clear needs a permission of its own.
///
/// # Errors
/// The refusal.
pub fn may_read_json_plan(ctx: &Context, run: &Run) -> Result<()> {
    authorize_run(ctx, Permission::PlansReadJson, run).map(drop)
}

pub async fn list_of_workspace(
    app: &App,
    ctx: &Context,
    workspace: &WorkspaceId,
    filter: RunFilter,
    page: Page,
) -> Result<Paged<Run>> {
    let mut conn = app.db.acquire().await?;
    let key = WorkspaceKey::Id(workspace.clone());
    let (workspace, _) = workspaces::load(&mut conn, ctx, &key, Permission::RunsRead).await?;
    let filter = RunFilter {
        workspace: Some(workspace.id),
        ..filter
    };
    Ok(store::list(&mut conn, &ctx.tenant(), &filter, page).await?)
}

async fn environment(conn: &mut db::Conn, ctx: &Context, name: &str) -> Result<Environment> {
    let found = tenancy::find_environment(conn, &ctx.tenant(), name)
        .await?
        .ok_or(RunError::NotFound)?;
    let target = Target::new("organizations", &found.name).in_environment(&found.id);
    authorize(ctx, Permission::RunsRead, target)?;
    Ok(found)
}

pub async fn list_of_environment(
    app: &App,
    ctx: &Context,
    name: &str,
    filter: RunFilter,
    page: Page,
) -> Result<Paged<Run>> {
    let mut conn = app.db.acquire().await?;
    let found = environment(&mut conn, ctx, name).await?;
    let filter = RunFilter {
        environment: Some(found.id),
        ..filter
    };
    Ok(store::list(&mut conn, &ctx.tenant(), &filter, page).await?)
}

/// Runs that wait, in dispatch order.
///
/// # Errors
/// [`RunError::NotFound`] or the refusal.
pub async fn waiting(app: &App, ctx: &Context, name: &str, page: Page) -> Result<Paged<Run>> {
    let mut conn = app.db.acquire().await?;
    let found = environment(&mut conn, ctx, name).await?;
    Ok(store::queue(&mut conn, &ctx.tenant(), &found.id, page).await?)
}

/// How many runs wait and how many are at work.
///
/// # Errors
/// [`RunError::NotFound`] or the refusal.
pub async fn capacity(app: &App, ctx: &Context, name: &str) -> Result<(i64, i64)> {
    let mut conn = app.db.acquire().await?;
    let found = environment(&mut conn, ctx, name).await?;
    Ok(store::capacity(&mut conn, &ctx.tenant(), &found.id).await?)
}

pub async fn events(app: &App, ctx: &Context, id: &RunId) -> Result<Vec<RunEvent>> {
    let run = read(app, ctx, id).await?;
    let mut conn = app.db.acquire().await?;
    Ok(store::events(&mut conn, &ctx.tenant(), &run.id).await?)
}

/// What a person can do to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Apply,
    Discard,
    Cancel,
    ForceCancel,
    /// The uncertain state is right: give the workspace back.
    Resolve,
}

impl Action {
    fn event(self) -> Event {
        match self {
            Self::Apply => Event::Confirm,
            Self::Discard => Event::Discard,
            Self::Cancel => Event::Cancel,
            Self::ForceCancel => Event::ForceCancel,
            Self::Resolve => Event::Resolve,
        }
    }

    fn permission(self) -> Permission {
        match self {
            Self::Apply | Self::Discard => Permission::RunsApply,
            Self::Cancel => Permission::RunsCancel,
            Self::ForceCancel => Permission::RunsForceCancel,
            Self::Resolve => Permission::RunsResolve,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Apply => "run.apply",
            Self::Discard => "run.discard",
            Self::Cancel => "run.cancel",
            Self::ForceCancel => "run.force-cancel",
            Self::Resolve => "run.resolve",
        }
    }
}

/// Does `action` to a run in the caller's name.
///
/// # Errors
/// The refusal, or [`RunError::Illegal`] when the run's status doesn't allow it.
pub async fn act(
    app: &App,
    ctx: &Context,
    id: &RunId,
    action: Action,
    comment: Option<&str>,
) -> Result<Run> {
    let (run, proof) = load(app, ctx, id, action.permission()).await?;
    if action == Action::ForceCancel
        && force_cancel_at(&run.state).is_none_or(|at| ctx.now() < at)
        && matches!(run.status(), RunStatus::Planning | RunStatus::Applying)
    {
        return Err(RunError::ForceCancelTooEarly {
            seconds: FORCE_CANCEL_AFTER.num_seconds(),
        });
    }
    let asked_before = action == Action::Cancel && run.state.cancel_requested_at.is_some();
    if asked_before && !run.status().is_final() {
        return Ok(run);
    }
    let run = with_queue(app, ctx, &run, action, comment).await?;
    let mut tx = app.db.begin().await?;
    audit::record(
        &mut tx,
        ctx,
        &proof,
        action.word(),
        json!({ "comment": comment }),
    )
    .await?;
    tx.commit().await?;
    Ok(run)
}

/// A confirmed saved plan may start at once: the queue is asked in the same breath.
async fn with_queue(
    app: &App,
    ctx: &Context,
    run: &Run,
    action: Action,
    comment: Option<&str>,
) -> Result<Run> {
    let run = advance(app, ctx, run, &action.event(), comment).await?;
    if run.status() == RunStatus::Confirmed {
        let tenant = ctx.tenant();
        let mut tx = app.db.begin().await?;
        workspaces::lock_and_find(&mut tx, &tenant, &run.workspace_id).await?;
        queue::start_ready(app, &mut tx, ctx, &run.workspace_id).await?;
        tx.commit().await?;
        app.signals.dispatch.wake();
    }
    Ok(run)
}

/// Starts a waiting run before those in front of it: the run that holds the workspace unconfirmed is
/// discarded.
///
/// # Errors
/// The refusal, or [`RunError::Illegal`] when it doesn't wait.
pub async fn force_execute(app: &App, ctx: &Context, id: &RunId) -> Result<Run> {
    let (run, proof) = load(app, ctx, id, Permission::RunsApply).await?;
    if run.status() != RunStatus::Pending {
        return Err(super::machine::Illegal {
            status: run.status(),
            event: "force-execute",
        }
        .into());
    }
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    workspaces::lock_and_find(&mut tx, &tenant, &run.workspace_id).await?;
    let comment = format!("run {} was started before it", run.id);
    for mut ahead in store::unfinished(&mut tx, &tenant, &run.workspace_id).await? {
        let in_front = ahead.number < run.number && !ahead.state.plan_only;
        if in_front && super::machine::step(&ahead.state, &Event::Discard, ctx.now()).is_ok() {
            super::transition(
                app,
                &mut tx,
                ctx,
                &mut ahead,
                &Event::Discard,
                Some(&comment),
            )
            .await?;
        }
    }
    queue::start_ready(app, &mut tx, ctx, &run.workspace_id).await?;
    audit::record(&mut tx, ctx, &proof, "run.force-execute", json!({})).await?;
    let run = store::find(&mut tx, &tenant, &run.id)
        .await?
        .ok_or(RunError::NotFound)?;
    tx.commit().await?;
    wake_after(app, &run);
    Ok(run)
}

/// Whether the run was made by a person, and which.
pub fn creator(run: &Run) -> Option<&str> {
    (run.created_by_kind == ActorKind::User).then_some(run.created_by_id.as_str())
}

/// Binds an artefact that a plan job brought to its run. `kind` is the protocol's word.
///
/// # Errors
/// The database's own.
pub(crate) async fn attach_artefact(
    tx: &mut db::Tx,
    tenant: &Tenant,
    run: &RunId,
    kind: &str,
    blob: &BlobId,
) -> Result<()> {
    let artefact = match kind {
        "plan-archive" => store::Artefact::Archive,
        "plan-json" => store::Artefact::Json,
        "plan-json-redacted" => store::Artefact::Redacted,
        "provider-schemas" => store::Artefact::Schemas,
        _ => {
            return Err(RunError::Invalid {
                pointer: "kind".to_owned(),
                detail: format!("{kind:?} is no artefact of a plan"),
            });
        }
    };
    store::set_artefact(tx, tenant, run, artefact, blob).await?;
    crate::objects::own(tx, tenant, blob).await?;
    Ok(())
}

/// A run of the tenant, for use cases that have authorised otherwise.
pub(crate) async fn find(conn: &mut db::Conn, tenant: &Tenant, id: &RunId) -> Result<Option<Run>> {
    Ok(store::find(conn, tenant, id).await?)
}
