//! The first account: what an empty installation needs before anybody can call it.
//!
//! One transaction, so that a process that dies in the middle leaves an empty installation, not
//! half of one. A caller that has more to make (join tokens, the demo run) does so in the same
//! transaction, with [`bootstrap_in`].

use domain::Secret;
use domain::access::Role;
use domain::ids::{RunnerPoolId, UserId};
use domain::permission::Permission;
use serde_json::json;

use super::authorize::{Target, authorize};
use super::error::IamError;
use super::model::NewUser;
use super::tokens::{self, NewToken, TokenOwner};
use super::{password, service};
use crate::app::App;
use crate::audit;
use crate::context::{Actor, Context};
use crate::problem::Fault;
use crate::tenancy::{self, Account, Environment, TenancyError};

/// The name of the account that callers belong to who name no other.
const DEFAULT_ACCOUNT: &str = "default";

/// What the first account is made with.
#[derive(Debug)]
pub struct BootstrapInput {
    pub username: String,
    pub email: String,
    pub password: Secret,
    /// The name of the first environment.
    pub environment: String,
}

/// What was made.
#[derive(Debug)]
pub struct Bootstrapped {
    pub account: Account,
    pub environment: Environment,
    pub user: UserId,
    /// An API token of that user; it is shown nowhere else.
    pub token: Secret,
    /// The pool that workspaces use which name none.
    pub pool: RunnerPoolId,
}

/// Makes the default account with an environment, an administrator, an API token and a runner pool.
///
/// # Errors
/// [`IamError::AlreadySetUp`] when there is a default account, [`IamError::Invalid`] for a name or
/// password against the rules.
pub async fn bootstrap(app: &App, input: BootstrapInput) -> Result<Bootstrapped, IamError> {
    let mut tx = app.db.begin().await?;
    let made = bootstrap_in(app, &mut tx, input).await?;
    tx.commit().await?;
    Ok(made)
}

/// As [`bootstrap`], inside the caller's transaction.
///
/// # Errors
/// As [`bootstrap`].
pub async fn bootstrap_in(
    app: &App,
    tx: &mut db::Tx,
    input: BootstrapInput,
) -> Result<Bootstrapped, IamError> {
    password::check_rules(&input.password)?;
    let hash = password::hash(&input.password).await?;
    if tenancy::default_account(tx)
        .await
        .map_err(of_tenancy)?
        .is_some()
    {
        return Err(IamError::AlreadySetUp);
    }
    let account = tenancy::create_account(app, tx, DEFAULT_ACCOUNT, true)
        .await
        .map_err(of_tenancy)?;
    let ctx = Context::new(Actor::system(&account.id, "bootstrap"), app.clock.clone());
    let (tenant, now) = (ctx.tenant(), ctx.now());
    tenancy::check_name(&input.environment).map_err(of_tenancy)?;
    let environment =
        tenancy::insert_environment(tx, &tenant, &input.environment, &input.email, now)
            .await
            .map_err(of_tenancy)?;
    let new = NewUser {
        username: input.username,
        email: input.email,
        password: None,
        role: Role::Admin,
    };
    let member = service::insert_user(tx, &ctx, new, Some(&hash)).await?;
    let owner = NewToken {
        owner: TokenOwner::User(member.id.clone()),
        description: "first token".to_owned(),
        expires_at: None,
    };
    let (token, text) = tokens::insert_token(tx, &tenant, owner, now).await?;
    let pool = tenancy::default_pool(tx, &tenant)
        .await?
        .ok_or(Fault::Unreadable {
            what: "the default runner pool",
        })?;
    let target = Target::new("accounts", &account.id);
    let proof = authorize(&ctx, Permission::EnvironmentsCreate, target)?;
    let detail = json!({ "environment": environment.name, "user": member.id, "pool": pool });
    audit::record(tx, &ctx, &proof, "account.bootstrap", detail).await?;
    tokens::record_token(tx, &ctx, &proof, "token.create", &token).await?;
    Ok(Bootstrapped {
        account,
        environment,
        user: member.id,
        token: text.text,
        pool,
    })
}

fn of_tenancy(error: TenancyError) -> IamError {
    match error {
        TenancyError::Fault(fault) => IamError::Fault(fault),
        TenancyError::NameTaken => IamError::AlreadySetUp,
        TenancyError::Denied(denied) => IamError::Denied(denied),
        TenancyError::NotFound
        | TenancyError::Invalid { .. }
        | TenancyError::NotEmpty
        | TenancyError::DefaultProject
        | TenancyError::LastAdministrator
        | TenancyError::Changed => IamError::FirstEnvironment {
            detail: error.to_string(),
        },
    }
}
