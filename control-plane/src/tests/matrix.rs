//! Every route × every role × every place that it can be granted at: the answer's status is the one
//! that follows from the row in `matrix.txt` and the catalogue of roles.
//!
//! What is expected is worked out here, from words and sets, and never by what decides in the server.
//! A route without a row fails. What only reads, and what must be refused, shares one tenant; what
//! must do something meets fresh objects, so no row depends on another.

use std::collections::BTreeMap;

use db::Db;
use domain::access::{Role, Scope};
use domain::permission::Permission;
use domain::permission_set::PermissionSet;
use domain::system_role::SystemRole;
use http::Method;
use serde_json::{Value, json};

use super::openapi::{Operation, operations};
use super::scene::{Scene, grant};
use crate::iam::RUN_PERMISSIONS;
use crate::testing::{TestApp, TestUser};

/// Read when the test runs: correcting a row needs no build.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/matrix.txt");

/// What the object of a row is in, or is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Open,
    Token,
    Themselves,
    Filtered,
    Own,
    Account,
    Environment,
    Parts,
    Project,
    Workspace,
}

fn place(word: &str) -> Option<Place> {
    Some(match word {
        "open" => Place::Open,
        "token" => Place::Token,
        "self" => Place::Themselves,
        "filtered" => Place::Filtered,
        "own" => Place::Own,
        "account" => Place::Account,
        "environment" => Place::Environment,
        "parts" => Place::Parts,
        "project" => Place::Project,
        "workspace" => Place::Workspace,
        _ => return None,
    })
}

/// What is expected of one operation.
#[derive(Debug)]
pub(super) struct Row {
    status: u16,
    place: Place,
    permission: Option<Permission>,
    /// None: whoever may not do it isn't told that it is there.
    seen: Option<Permission>,
    run: Option<u16>,
    /// JSON, or a form if it doesn't begin with a brace; with `{parameters}` as in the path.
    pub(super) body: String,
    /// What follows the path: `?…`.
    pub(super) query: String,
}

pub(super) fn table() -> BTreeMap<Operation, Row> {
    let mut rows = BTreeMap::<Operation, Row>::new();
    let mut last = None;
    let text = std::fs::read_to_string(TABLE).unwrap();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
    {
        if line.starts_with(' ') {
            let operation = last.clone().expect("a body before the first row");
            let row = rows.get_mut(&operation).unwrap();
            row.body.push_str(line.trim());
            continue;
        }
        let (operation, row) =
            parse(line).unwrap_or_else(|problem| panic!("matrix.txt: {problem}: {line}"));
        last = Some(operation.clone());
        assert!(
            rows.insert(operation, row).is_none(),
            "matrix.txt has two rows: {line}"
        );
    }
    rows
}

fn parse(line: &str) -> Result<(Operation, Row), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [method, target, status, at, permission, extras @ ..] = words.as_slice() else {
        return Err("not `METHOD PATH STATUS PLACE PERMISSION`".to_owned());
    };
    let (path, query) = target
        .split_once('?')
        .map_or((*target, String::new()), |(path, query)| {
            (path, format!("?{query}"))
        });
    let permission = match *permission {
        "-" => None,
        word => Some(word.parse().map_err(|error| format!("{error}"))?),
    };
    let mut row = Row {
        status: status
            .parse()
            .map_err(|_| format!("{status:?} is no status"))?,
        place: place(at).ok_or_else(|| format!("{at:?} is no place"))?,
        permission,
        seen: permission.and_then(|it| seen_by_default(path, it)),
        run: None,
        body: String::new(),
        query,
    };
    for extra in extras {
        match extra.split_once('=') {
            Some(("seen", "nobody")) => row.seen = None,
            Some(("seen", word)) => {
                row.seen = Some(word.parse().map_err(|error| format!("{error}"))?);
            }
            Some(("run", status)) => {
                row.run = Some(
                    status
                        .parse()
                        .map_err(|_| format!("{status:?} is no status"))?,
                );
            }
            _ => return Err(format!("{extra:?} is nothing that a row can say")),
        }
    }
    let operation = Operation {
        path: path.to_owned(),
        method: (*method).to_owned(),
    };
    Ok((operation, row))
}

/// `read` of what the first parameter of the path names, or of the permission's own resource.
fn seen_by_default(path: &str, permission: Permission) -> Option<Permission> {
    let first = path.split('{').nth(1).and_then(|it| it.split('}').next());
    Some(match first {
        Some("organization") if path.contains("/workspaces/{name}") => Permission::WorkspacesRead,
        Some("organization") => Permission::EnvironmentsRead,
        Some("workspace_id" | "state_version_id" | "output_id") => Permission::WorkspacesRead,
        Some("project_id") => Permission::ProjectsRead,
        Some(
            "run_id"
            | "plan_id"
            | "apply_id"
            | "policy_check_id"
            | "task_stage_id"
            | "policy_evaluation_id"
            | "policy_set_outcome_id"
            | "cost_estimate_id",
        ) => Permission::RunsRead,
        Some("configuration_version_id") => Permission::ConfigurationVersionsRead,
        Some("variable_id") => Permission::VariablesRead,
        Some("user_id" | "organization_membership_id") => Permission::UsersRead,
        Some("team_id") => Permission::TeamsRead,
        Some("agent_pool_id" | "agent_id") => Permission::RunnerPoolsRead,
        Some("approval_rule_id") => Permission::ApprovalRulesRead,
        Some("cost_limit_id") => Permission::CostLimitsRead,
        Some("cost_adjustment_id") => Permission::CostPricesRead,
        Some("data_document_id" | "impact_analysis_id") => Permission::PolicyGroupsRead,
        Some(name) if name.starts_with("polic") => Permission::PolicyGroupsRead,
        Some("identity_provider_id") => Permission::IdentityProvidersRead,
        Some("token_id") => return None,
        Some(_) | None => {
            let own =
                |it: &Permission| it.resource() == permission.resource() && it.action() == "read";
            Permission::ALL.iter().copied().find(own)?
        }
    })
}

/// Where somebody's role is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    Account,
    Environment,
    /// On both projects of the scene's.
    Project,
    Workspace,
    /// On another environment of the account, and on another workspace of the same environment.
    Sibling,
    /// In another account.
    Foreign,
}

const SPOTS: [Spot; 6] = [
    Spot::Account,
    Spot::Environment,
    Spot::Project,
    Spot::Workspace,
    Spot::Sibling,
    Spot::Foreign,
];

impl Spot {
    fn scope(self) -> Scope {
        match self {
            Self::Account | Self::Foreign => Scope::Account,
            Self::Environment => Scope::Environment,
            Self::Project => Scope::Project,
            // What reaches the scene's environment from beside is on a workspace.
            Self::Workspace | Self::Sibling => Scope::Workspace,
        }
    }

    /// Whether a grant there holds for a row's object, or for a part of what the row lists.
    fn reaches(self, place: Place) -> bool {
        match self {
            Self::Account => true,
            Self::Foreign => place == Place::Own,
            Self::Environment => matches!(
                place,
                Place::Environment | Place::Parts | Place::Project | Place::Workspace
            ),
            Self::Project => {
                matches!(place, Place::Parts | Place::Project | Place::Workspace)
            }
            Self::Workspace => matches!(place, Place::Parts | Place::Workspace),
            Self::Sibling => place == Place::Parts,
        }
    }
}

/// The roles that are tried: the system's, and one with wildcards of an account's own.
const ROLES: [&str; 6] = [
    "admin",
    "user",
    "read-only",
    "account-min-access",
    "environment-min-access",
    "custom",
];
const CUSTOM: [&str; 7] = [
    "workspaces:*",
    "runs:*",
    "*:read",
    "policy-groups:*",
    "approval-rules:manage",
    "cost-prices:manage",
    "teams:manage",
];

fn permissions_of(role: &str) -> PermissionSet {
    match role.parse::<SystemRole>() {
        Ok(role) => role.permissions(),
        Err(_) => PermissionSet::of_patterns(CUSTOM),
    }
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Caller {
    /// A user with one role, at one place.
    Granted(&'static str, Spot),
    /// The token of a run of the workspace in question.
    Run,
    /// The token of a run of another workspace of the same account.
    OtherRun,
    Nobody,
}

fn callers() -> Vec<Caller> {
    let granted = ROLES
        .into_iter()
        .flat_map(|role| SPOTS.map(|spot| Caller::Granted(role, spot)));
    granted
        .chain([Caller::Run, Caller::OtherRun, Caller::Nobody])
        .collect()
}

/// Whether a role granted at `spot` gives `permission` on the object of a row.
fn holds(role: &str, spot: Spot, permission: Permission, place: Place) -> bool {
    let given = permissions_of(role);
    let directly = given.contains(permission)
        && permission.scopes().contains(&spot.scope())
        && spot.reaches(place);
    // Who has anything in an environment sees the environment.
    let passes = permission == Permission::EnvironmentsRead
        && matches!(place, Place::Environment | Place::Parts)
        && !matches!(spot, Spot::Account | Spot::Foreign)
        && given.iter().any(|it| it.scopes().contains(&spot.scope()));
    directly || passes
}

/// Whether the caller gets to what the row is for, and the status that they get.
fn expected(row: &Row, caller: Caller) -> (bool, u16) {
    let refused = |status| (false, status);
    let everybody = match row.place {
        Place::Open => true,
        Place::Token => caller != Caller::Nobody,
        Place::Themselves | Place::Filtered => matches!(caller, Caller::Granted(..)),
        Place::Own
        | Place::Account
        | Place::Environment
        | Place::Parts
        | Place::Project
        | Place::Workspace => false,
    };
    if everybody {
        return (true, row.status);
    }
    if caller == Caller::Nobody {
        return refused(401);
    }
    let permission = row
        .permission
        .expect("only rows for everybody need no permission");
    match caller {
        Caller::Nobody => refused(401),
        Caller::Granted(role, spot) => {
            if holds(role, spot, permission, row.place) {
                return (true, row.status);
            }
            let seen = row.seen.is_some_and(|it| holds(role, spot, it, row.place));
            refused(if seen { 403 } else { 404 })
        }
        Caller::Run if row.run.is_some() => (true, row.run.unwrap_or(row.status)),
        Caller::Run | Caller::OtherRun => {
            let may = RUN_PERMISSIONS.contains(&permission);
            let inside = row.place == Place::Workspace && caller == Caller::Run;
            let around = permission == Permission::EnvironmentsRead
                && matches!(row.place, Place::Environment | Place::Filtered);
            if may && (inside || around) {
                (true, row.status)
            } else {
                refused(if inside && row.seen.is_some() {
                    403
                } else {
                    404
                })
            }
        }
    }
}

/// Somebody with a role in an account of their own.
async fn foreigner(app: &TestApp, role: &'static str) -> String {
    let account = app.account().await;
    let admin = app.user(&account, Role::Admin).await;
    let custom = custom_role(app, &admin).await;
    let person = app.user(&account, Role::Member).await;
    grant(app, &admin, &person, &role_id(role, &custom), None).await;
    person.token
}

/// The people of other accounts, by role.
struct Foreigners(BTreeMap<&'static str, String>);

impl Foreigners {
    async fn new(app: &TestApp) -> Self {
        let mut people = BTreeMap::new();
        for role in ROLES {
            people.insert(role, foreigner(app, role).await);
        }
        Self(people)
    }
}

async fn custom_role(app: &TestApp, admin: &TestUser) -> String {
    let attributes = json!({ "name": "tried", "permissions": CUSTOM });
    let call = app.post("/api/v2/roles").by(admin);
    call.attributes("roles", attributes).await.expect(201).id()
}

fn role_id(role: &str, custom: &str) -> String {
    if role == "custom" {
        custom.to_owned()
    } else {
        format!("role-{role}")
    }
}

/// The token of a caller, who is made for it. A role that gives nothing at a place can't be granted
/// there: its caller has nothing.
async fn token(
    app: &TestApp,
    scene: &Scene,
    foreigners: &Foreigners,
    caller: Caller,
) -> Option<String> {
    let (role, spot) = match caller {
        Caller::Nobody => return None,
        Caller::Run => return Some(scene.run.token.clone()),
        Caller::OtherRun => return Some(scene.other_run.token.clone()),
        Caller::Granted(role, Spot::Foreign) => return Some(foreigners.0[role].clone()),
        Caller::Granted(role, spot) => (role, spot),
    };
    let team = &scene.team;
    let person = app.user(&team.account, Role::Member).await;
    let workspace = team.workspace.id.to_string();
    let places = match spot {
        Spot::Account | Spot::Foreign => vec![(Scope::Account, None)],
        Spot::Environment => vec![(Scope::Environment, Some(team.environment.id.to_string()))],
        Spot::Project => vec![
            (Scope::Project, Some(scene.value("project_id").to_owned())),
            (Scope::Project, Some(team.workspace.project_id.to_string())),
        ],
        Spot::Workspace => vec![(Scope::Workspace, Some(workspace))],
        Spot::Sibling => vec![
            (
                Scope::Environment,
                Some(scene.other_environment.id.to_string()),
            ),
            (Scope::Workspace, Some(scene.neighbour.id.to_string())),
        ],
    };
    for (scope, place) in places {
        if permissions_of(role)
            .iter()
            .any(|it| it.scopes().contains(&scope))
        {
            let id = role_id(role, scene.custom_role());
            grant(app, &team.admin, &person, &id, place.as_deref()).await;
        }
    }
    Some(person.token)
}

async fn call(
    app: &TestApp,
    scene: &Scene,
    operation: &Operation,
    row: &Row,
    token: Option<&str>,
) -> Result<u16, String> {
    let method: Method = operation.method.parse().unwrap();
    let mut call = app.call(method, scene.path(operation, row)?);
    if !row.body.is_empty() {
        let body = scene.fill(&row.body);
        call = if body.starts_with('{') {
            let json: Value = serde_json::from_str(&body)
                .map_err(|error| format!("{operation:?}: its body is no JSON: {error}"))?;
            call.json(&json)
        } else {
            call.body("application/x-www-form-urlencoded", body)
        };
    }
    if let Some(token) = token {
        call = call.by(token);
    }
    Ok(call.await.status.as_u16())
}

/// What all callers share who must change nothing.
struct Shared {
    scene: Scene,
    foreigners: Foreigners,
    tokens: BTreeMap<Caller, Option<String>>,
}

impl Shared {
    async fn new(app: &TestApp, wanted: &str) -> Self {
        let mut scene = Scene::new(app, wanted).await;
        let foreigners = Foreigners::new(app).await;
        scene.set_custom_role(custom_role(app, &scene.team.admin).await);
        let mut tokens = BTreeMap::new();
        for caller in callers() {
            tokens.insert(caller, token(app, &scene, &foreigners, caller).await);
        }
        Self {
            scene,
            foreigners,
            tokens,
        }
    }
}

/// What is wrong with one route.
async fn observe(
    app: &TestApp,
    shared: &Shared,
    operation: &Operation,
    row: &Row,
) -> Result<Vec<String>, String> {
    let mut complaints = Vec::new();
    let name = format!("{} {}", operation.method, operation.path);
    for caller in callers() {
        let (does, status) = expected(row, caller);
        let observed = if does && operation.method != "GET" {
            let wanted = format!("{}{}{}", operation.path, row.query, row.body);
            let mut scene = Scene::new(app, &wanted).await;
            scene.set_custom_role(custom_role(app, &scene.team.admin).await);
            let token = if let Caller::Granted(role, Spot::Foreign) = caller {
                Some(foreigner(app, role).await)
            } else {
                token(app, &scene, &shared.foreigners, caller).await
            };
            call(app, &scene, operation, row, token.as_deref()).await?
        } else {
            let token = shared.tokens[&caller].as_deref();
            call(app, &shared.scene, operation, row, token).await?
        };
        if observed != status {
            complaints.push(format!(
                "{name} by {caller:?}: expected {status}, observed {observed}"
            ));
        }
    }
    Ok(complaints)
}

/// Every operation that has a row, and what is wrong with the rest.
fn known() -> (Vec<(Operation, Row)>, Vec<String>) {
    let mut rows = table();
    let (mut known, mut complaints) = (Vec::new(), Vec::new());
    for operation in operations() {
        match rows.remove(&operation) {
            Some(row) => known.push((operation, row)),
            None => complaints.push(format!(
                "no row for {} {}; its head says what a row is",
                operation.method, operation.path
            )),
        }
    }
    for operation in rows.keys() {
        complaints.push(format!(
            "no such route any more; delete the row of {} {}",
            operation.method, operation.path
        ));
    }
    (known, complaints)
}

#[test]
fn every_route_has_a_row() {
    let (_, complaints) = known();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The matrix is tried in parts, each a test of its own, so that they run beside each other.
const PARTS: usize = 8;

async fn try_part(db: Db, part: usize) {
    let app = TestApp::new(db);
    let own: Vec<_> = known().0.into_iter().skip(part).step_by(PARTS).collect();
    let named = own
        .iter()
        .map(|(operation, row)| operation.path.clone() + &row.body);
    let wanted: String = named.collect();
    let shared = Shared::new(&app, &wanted).await;
    let mut complaints = Vec::new();
    for (operation, row) in &own {
        match observe(&app, &shared, operation, row).await {
            Ok(found) => complaints.extend(found),
            Err(problem) => complaints.push(problem),
        }
    }
    assert!(
        complaints.is_empty(),
        "src/tests/matrix.txt and the routes differ:\n\n{}",
        complaints.join("\n")
    );
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn authorization_matrix_1(db: Db) {
        try_part(db, 0).await;
    }

    async fn authorization_matrix_2(db: Db) {
        try_part(db, 1).await;
    }

    async fn authorization_matrix_3(db: Db) {
        try_part(db, 2).await;
    }

    async fn authorization_matrix_4(db: Db) {
        try_part(db, 3).await;
    }

    async fn authorization_matrix_5(db: Db) {
        try_part(db, 4).await;
    }

    async fn authorization_matrix_6(db: Db) {
        try_part(db, 5).await;
    }

    async fn authorization_matrix_7(db: Db) {
        try_part(db, 6).await;
    }

    async fn authorization_matrix_8(db: Db) {
        try_part(db, 7).await;
    }
}
