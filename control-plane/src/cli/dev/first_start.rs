//! The first account of an empty data directory, and the files through which a person gets in.
//!
//! What is missing is made, so that a start which died half-way is completed by the next one: the
//! password is written before the account exists, the token after.

use std::path::Path;

use domain::Secret;

use super::data_dir::DataDir;
use super::private_file;
use crate::app::App;
use crate::cli::failure::{Failure, chain};
use crate::context::{Actor, Context};
use crate::iam::{self, BootstrapInput};
use crate::runners::{self, Authority};
use crate::tenancy::{self, Account};

pub(super) const ENVIRONMENT: &str = "demo";
pub(super) const ADMIN: &str = "admin";

/// How a person gets in.
pub(super) struct FirstStart {
    /// An API token of `admin`.
    pub(super) token: Secret,
    /// The account was made by this start.
    pub(super) is_new: bool,
}

/// Makes what this data directory doesn't have yet.
pub(super) async fn ensure(
    app: &App,
    authority: &Authority,
    data: &DataDir,
) -> Result<FirstStart, Failure> {
    let account = default_account(app).await?;
    let is_new = account.is_none();
    if is_new {
        bootstrap(app, data).await?;
    }
    let token = match read(&data.token())? {
        Some(token) => token,
        None => another_token(app, data).await?,
    };
    if read(&data.runner_token())?.is_none() {
        join_token(app, authority, data).await?;
    }
    Ok(FirstStart { token, is_new })
}

async fn bootstrap(app: &App, data: &DataDir) -> Result<(), Failure> {
    let input = BootstrapInput {
        username: ADMIN.to_owned(),
        email: "admin@localhost".to_owned(),
        password: kept(&data.admin_password(), random_password)?,
        environment: ENVIRONMENT.to_owned(),
    };
    let made = iam::bootstrap(app, input)
        .await
        .map_err(|error| failed(&error))?;
    write(&data.token(), &made.token)
}

/// A token of the default pool, with which runners on this and other machines join.
async fn join_token(app: &App, authority: &Authority, data: &DataDir) -> Result<(), Failure> {
    let ctx = as_admin(app).await?;
    let mut conn = app.db.acquire().await.map_err(|error| failed(&error))?;
    let pool = tenancy::default_pool(&mut conn, &ctx.tenant())
        .await
        .map_err(|error| failed(&error))?
        .ok_or_else(|| Failure::new("there is no default runner pool any more"))?;
    drop(conn);
    let account = &ctx.actor.account;
    let token = runners::create_join_token(app, authority, account, &pool, "terrane dev")
        .await
        .map_err(|error| failed(&error))?;
    write(&data.runner_token(), &token)
}

/// The token file is gone, or was never written: the text of a token can't be had again.
async fn another_token(app: &App, data: &DataDir) -> Result<Secret, Failure> {
    let ctx = as_admin(app).await?;
    let admin = ctx.actor.user().ok_or_else(no_admin)?;
    let (_, token) = iam::create_token(
        app,
        &ctx,
        iam::TokenOwner::User(admin),
        "terrane dev".to_owned(),
        None,
    )
    .await
    .map_err(|error| failed(&error))?;
    write(&data.token(), &token.text)?;
    Ok(token.text)
}

/// The person at the keyboard, as a caller.
pub(super) async fn as_admin(app: &App) -> Result<Context, Failure> {
    let account = default_account(app).await?.ok_or_else(no_admin)?;
    let system = Context::new(Actor::system(&account.id, "terrane dev"), app.clock.clone());
    let members = iam::list_users(app, &system)
        .await
        .map_err(|error| failed(&error))?;
    let admin = members
        .into_iter()
        .find(|member| member.username == ADMIN)
        .ok_or_else(no_admin)?;
    let mut conn = app.db.acquire().await.map_err(|error| failed(&error))?;
    let actor = iam::granted_actor(&mut conn, &system.tenant(), &admin)
        .await
        .map_err(|error| failed(&error))?;
    Ok(Context::new(actor, app.clock.clone()))
}

fn no_admin() -> Failure {
    Failure::new(format!("there is no user {ADMIN} any more"))
}

/// The account that `terrane dev` works in.
async fn default_account(app: &App) -> Result<Option<Account>, Failure> {
    let mut conn = app.db.acquire().await.map_err(|error| failed(&error))?;
    tenancy::default_account(&mut conn)
        .await
        .map_err(|error| failed(&error))
}

/// The secret in a file, made at first need.
fn kept(path: &Path, make: impl FnOnce() -> Secret) -> Result<Secret, Failure> {
    if let Some(secret) = read(path)? {
        return Ok(secret);
    }
    let secret = make();
    write(path, &secret)?;
    Ok(secret)
}

fn read(path: &Path) -> Result<Option<Secret>, Failure> {
    let text = private_file::read(path)
        .map_err(|error| Failure::failed(&format!("{} can't be read", path.display()), error))?;
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}

fn write(path: &Path, secret: &Secret) -> Result<(), Failure> {
    private_file::write(path, secret.expose().as_bytes())
        .map_err(|error| Failure::failed(&format!("{} can't be written", path.display()), error))
}

/// 144 bits, in letters that can't be taken for each other.
fn random_password() -> Secret {
    Secret::new(bs58::encode(rand::random::<[u8; 18]>()).into_string())
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(format!("the first start failed: {}", chain(error)))
}
