//! Use cases of rules, and the face for runs.

use std::collections::{HashMap, HashSet};

use domain::ids::{
    ApprovalId, ApprovalRuleId, EnvironmentId, ProjectId, RunId, TeamId, UserId, WorkspaceId,
};
use domain::permission::Permission;
use serde_json::{Value, json};

use super::error::ApprovalError;
use super::model::{Approval, ApprovalRule, MAX_COMMENT, MAX_RULES, NewRule, RuleChange};
use super::standing::{Approver, Standing, stand};
use super::store;
use crate::app::App;
use crate::audit;
use crate::clock::Timestamp;
use crate::context::{Context, Tenant};
use crate::iam::{self, Authorized, Target, authorize, teams};
use crate::tenancy;
use crate::workspaces::{self, WorkspaceKey};

type Result<T> = std::result::Result<T, ApprovalError>;

async fn target(conn: &mut db::Conn, tenant: &Tenant, rule: &ApprovalRule) -> Result<Target> {
    let target = Target::new("approval-rules", &rule.id).in_environment(&rule.environment_id);
    let Some(id) = &rule.workspace_id else {
        return Ok(target);
    };
    let target = target.in_workspace(id);
    Ok(match workspaces::find(conn, tenant, id).await? {
        Some(workspace) => target.in_project(&workspace.project_id),
        None => target,
    })
}

/// What the audit log says of a rule.
fn facts(rule: &ApprovalRule) -> Value {
    json!({
        "count": rule.needed, "team": rule.team_name, "applies_to": rule.applies_to,
        "environment": rule.environment_id, "workspace": rule.workspace_id,
    })
}

/// Where a new rule holds.
#[derive(Debug)]
pub(super) enum Scope<'a> {
    /// By its name.
    Environment(&'a str),
    Workspace(&'a WorkspaceId),
}

struct Place {
    environment: EnvironmentId,
    environment_name: String,
    workspace: Option<WorkspaceId>,
}

async fn place(
    tx: &mut db::Tx,
    ctx: &Context,
    scope: &Scope<'_>,
    permission: Permission,
) -> Result<Place> {
    let (name, workspace) = match scope {
        Scope::Environment(name) => ((*name).to_owned(), None),
        Scope::Workspace(id) => {
            let (found, _) = workspaces::load_locked(tx, ctx, id, permission).await?;
            (found.environment_id.to_string(), Some(found.id))
        }
    };
    let environment = tenancy::find_environment(tx, &ctx.tenant(), &name)
        .await?
        .ok_or(ApprovalError::NotFound)?;
    Ok(Place {
        environment: environment.id,
        environment_name: environment.name,
        workspace,
    })
}

/// The name of a rule's team, which must be one of the rule's environment.
async fn team_name(
    conn: &mut db::Conn,
    tenant: &Tenant,
    environment: &EnvironmentId,
    team: Option<&TeamId>,
) -> Result<Option<String>> {
    let Some(id) = team else {
        return Ok(None);
    };
    let found = teams::find(conn, tenant, id)
        .await?
        .filter(|team| team.environment_id == *environment);
    match found {
        Some(team) => Ok(Some(team.name)),
        None => Err(ApprovalError::Invalid {
            pointer: "/data/relationships/team".to_owned(),
            detail: format!("{id} is no team of this environment"),
        }),
    }
}

async fn load(
    conn: &mut db::Conn,
    ctx: &Context,
    id: &ApprovalRuleId,
    permission: Permission,
) -> Result<(ApprovalRule, Authorized)> {
    let rule = store::find_rule(conn, &ctx.tenant(), id)
        .await?
        .ok_or(ApprovalError::NotFound)?;
    let on = target(conn, &ctx.tenant(), &rule).await?;
    let proof = authorize(ctx, permission, on)?;
    Ok((rule, proof))
}

/// The rules of an environment itself.
pub(super) async fn of_environment(
    app: &App,
    ctx: &Context,
    name: &str,
) -> Result<Vec<ApprovalRule>> {
    let mut conn = app.db.acquire().await?;
    let found = tenancy::find_environment(&mut conn, &ctx.tenant(), name)
        .await?
        .ok_or(ApprovalError::NotFound)?;
    let target = Target::new("organizations", &found.name).in_environment(&found.id);
    authorize(ctx, Permission::ApprovalRulesRead, target)?;
    Ok(store::of_environment(&mut conn, &ctx.tenant(), &found.id).await?)
}

/// The rules that hold in a workspace, inherited ones first.
pub(super) async fn in_workspace(
    app: &App,
    ctx: &Context,
    id: &WorkspaceId,
) -> Result<Vec<ApprovalRule>> {
    let mut conn = app.db.acquire().await?;
    let key = WorkspaceKey::Id(id.clone());
    let (found, _) = workspaces::load(&mut conn, ctx, &key, Permission::ApprovalRulesRead).await?;
    let tenant = ctx.tenant();
    Ok(store::in_workspace(&mut conn, &tenant, &found.environment_id, &found.id).await?)
}

pub(super) async fn read(app: &App, ctx: &Context, id: &ApprovalRuleId) -> Result<ApprovalRule> {
    let mut conn = app.db.acquire().await?;
    Ok(load(&mut conn, ctx, id, Permission::ApprovalRulesRead)
        .await?
        .0)
}

/// Makes a rule. Runs whose plan is ready keep waiting, or don't, by what holds when they are
/// confirmed or approved.
///
/// # Errors
/// [`ApprovalError::Invalid`], [`ApprovalError::TooManyRules`].
pub(super) async fn create(
    app: &App,
    ctx: &Context,
    scope: Scope<'_>,
    new: NewRule,
) -> Result<ApprovalRule> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let permission = Permission::ApprovalRulesManage;
    let place = place(&mut tx, ctx, &scope, permission).await?;
    // Rules are counted under a lock, so that two who make one don't pass the limit together.
    tx.lock_row("environments", &place.environment).await?;
    let mut rule = ApprovalRule {
        id: ApprovalRuleId::random(),
        environment_id: place.environment,
        environment_name: place.environment_name,
        workspace_id: place.workspace,
        team_id: new.team,
        team_name: None,
        needed: new.needed,
        applies_to: new.applies_to,
        created_at: ctx.now(),
    };
    let on = target(&mut tx, &ctx.tenant(), &rule).await?;
    let proof = authorize(ctx, permission, on)?;
    rule.check()?;
    let environment = &rule.environment_id;
    rule.team_name = team_name(&mut tx, &tenant, environment, rule.team_id.as_ref()).await?;
    let there = match &rule.workspace_id {
        Some(workspace) => store::in_workspace(&mut tx, &tenant, environment, workspace).await?,
        None => store::of_environment(&mut tx, &tenant, environment).await?,
    };
    let own = there
        .iter()
        .filter(|it| it.workspace_id == rule.workspace_id)
        .count();
    if i64::try_from(own).unwrap_or(i64::MAX) >= MAX_RULES {
        return Err(ApprovalError::TooManyRules { limit: MAX_RULES });
    }
    store::insert_rule(&mut tx, &tenant, &rule).await?;
    audit::record(&mut tx, ctx, &proof, "approval-rule.create", facts(&rule)).await?;
    tx.commit().await?;
    Ok(rule)
}

pub(super) async fn update(
    app: &App,
    ctx: &Context,
    id: &ApprovalRuleId,
    change: RuleChange,
) -> Result<ApprovalRule> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    tx.lock_row("approval_rules", id).await?;
    let (mut rule, proof) = load(&mut tx, ctx, id, Permission::ApprovalRulesManage).await?;
    let before = facts(&rule);
    rule.needed = change.needed.unwrap_or(rule.needed);
    rule.applies_to = change.applies_to.unwrap_or(rule.applies_to);
    if let Some(team) = change.team {
        let environment = &rule.environment_id;
        rule.team_name = team_name(&mut tx, &tenant, environment, team.as_ref()).await?;
        rule.team_id = team;
    }
    rule.check()?;
    store::update_rule(&mut tx, &tenant, &rule).await?;
    let detail = json!({ "before": before, "after": facts(&rule) });
    audit::record(&mut tx, ctx, &proof, "approval-rule.update", detail).await?;
    tx.commit().await?;
    // A run may have waited for what is no longer asked for.
    app.signals.queue.wake();
    Ok(rule)
}

pub(super) async fn delete(app: &App, ctx: &Context, id: &ApprovalRuleId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (rule, proof) = load(&mut tx, ctx, id, Permission::ApprovalRulesManage).await?;
    store::delete_rule(&mut tx, &ctx.tenant(), id).await?;
    audit::record(&mut tx, ctx, &proof, "approval-rule.delete", facts(&rule)).await?;
    tx.commit().await?;
    app.signals.queue.wake();
    Ok(())
}

// ── for runs ───────────────────────────────────────────────────────────────────────────────────

/// What is to be known of a run to say which approvals it needs and has.
#[derive(Debug)]
pub struct RunFacts<'a> {
    pub run: &'a RunId,
    pub environment: &'a EnvironmentId,
    pub project: &'a ProjectId,
    pub workspace: &'a WorkspaceId,
    /// Whether it destroys everything.
    pub is_destroy: bool,
    /// Who made it and who confirmed it: theirs never count.
    pub authors: &'a [String],
    /// So many more than the rules ask for, by anybody else.
    pub extra_required: u32,
}

async fn rules_of(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &RunFacts<'_>,
) -> std::result::Result<Vec<ApprovalRule>, db::Error> {
    let mut rules = store::in_workspace(conn, tenant, run.environment, run.workspace).await?;
    rules.retain(|rule| rule.is_about(run.is_destroy));
    Ok(rules)
}

fn teams_in(rules: &[ApprovalRule]) -> Vec<TeamId> {
    let mut teams: Vec<_> = rules.iter().filter_map(|it| it.team_id.clone()).collect();
    teams.sort();
    teams.dedup();
    teams
}

/// How the approvals of a run stand now: rules, teams and roles count as they are, not as they were
/// when somebody approved.
///
/// # Errors
/// The database's own.
pub async fn standing(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &RunFacts<'_>,
) -> std::result::Result<Standing, db::Error> {
    let rules = rules_of(conn, tenant, run).await?;
    if rules.is_empty() && run.extra_required == 0 {
        return Ok(stand(&[], &[], 0));
    }
    let approvers = approvers(conn, tenant, run, &teams_in(&rules)).await?;
    Ok(stand(&rules, &approvers, run.extra_required))
}

async fn approvers(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &RunFacts<'_>,
    teams: &[TeamId],
) -> std::result::Result<Vec<Approver>, db::Error> {
    let mut given = store::of_run(conn, tenant, run.run).await?;
    given.retain(|it| {
        !run.authors
            .iter()
            .any(|author| *author == it.user_id.as_str())
    });
    let ids: Vec<_> = given.iter().map(|it| it.user_id.clone()).collect();
    let members = iam::find_members(conn, tenant, &ids).await?;
    let target = Target::new("runs", run.run)
        .in_environment(run.environment)
        .in_project(run.project)
        .in_workspace(run.workspace);
    let mut may_apply = HashMap::new();
    for member in members {
        let subject = iam::Subject::User(member.id.clone());
        let grants = iam::effective(conn, tenant, &subject).await?;
        may_apply.insert(member.id, grants.allows(Permission::RunsApply, &target));
    }
    let mut in_teams = HashMap::<UserId, HashSet<TeamId>>::new();
    for (team, user) in teams::members_of(conn, tenant, teams).await? {
        in_teams.entry(user).or_default().insert(team);
    }
    // Who has left the account since doesn't count.
    let counting = given.into_iter().filter_map(|it| {
        Some(Approver {
            may_apply: *may_apply.get(&it.user_id)?,
            teams: in_teams.remove(&it.user_id).unwrap_or_default(),
            name: it.username,
        })
    });
    Ok(counting.collect())
}

/// Whether a team that one of the run's rules names has this user: such people may approve it
/// whatever their role is.
///
/// # Errors
/// The database's own.
pub async fn counts_for_team(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &RunFacts<'_>,
    user: &UserId,
) -> std::result::Result<bool, db::Error> {
    let wanted = teams_in(&rules_of(conn, tenant, run).await?);
    let theirs = teams::teams_of(conn, tenant, user).await?;
    Ok(theirs.iter().any(|team| wanted.contains(team)))
}

/// The approvals of a run, oldest first, whether they count or not.
///
/// # Errors
/// The database's own.
pub async fn given(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &RunId,
) -> std::result::Result<Vec<Approval>, db::Error> {
    store::of_run(conn, tenant, run).await
}

/// Stores somebody's approval; the caller has decided that they may give it.
///
/// # Errors
/// [`ApprovalError::OwnRun`], [`ApprovalError::AlreadyGiven`], [`ApprovalError::Invalid`].
pub async fn give(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &RunFacts<'_>,
    user: (&UserId, &str),
    comment: String,
    now: Timestamp,
) -> Result<Approval> {
    let (user, username) = user;
    if run.authors.iter().any(|author| *author == user.as_str()) {
        return Err(ApprovalError::OwnRun);
    }
    if comment.len() > MAX_COMMENT {
        let detail = format!("use at most {MAX_COMMENT} bytes");
        return Err(ApprovalError::invalid("comment", detail));
    }
    let approval = Approval {
        id: ApprovalId::random(),
        run_id: run.run.clone(),
        user_id: user.clone(),
        username: username.to_owned(),
        comment,
        created_at: now,
    };
    store::insert(conn, tenant, &approval)
        .await
        .map_err(|error| {
            if error.is_unique_violation() {
                ApprovalError::AlreadyGiven
            } else {
                error.into()
            }
        })?;
    Ok(approval)
}

/// Takes somebody's approval back.
///
/// # Errors
/// [`ApprovalError::NotFound`] when there is none.
pub async fn withdraw(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &RunId,
    user: &UserId,
) -> Result<()> {
    if store::delete(conn, tenant, run, user).await? {
        Ok(())
    } else {
        Err(ApprovalError::NotFound)
    }
}
