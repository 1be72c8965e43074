//! Use cases of memberships.

use domain::Secret;
use domain::access::Role;
use domain::ids::UserId;
use domain::permission::Permission;
use serde_json::json;

use crate::app::App;
use crate::audit;
use crate::context::Context;
use crate::http::page::{Page, Paged};
use crate::iam::grants::guard::Administrators;
use crate::iam::model::{Member, NewUser};
use crate::iam::service as users;
use crate::iam::{IamError, Target, authorize, store};
use crate::tenancy::{self, Environment};

type Result<T> = std::result::Result<T, IamError>;

/// Who is to be added.
#[derive(Debug)]
pub(super) struct NewMember {
    pub username: String,
    pub email: String,
    pub role: Role,
    pub password: Option<Secret>,
}

async fn environment(
    conn: &mut db::Conn,
    ctx: &Context,
    name: &str,
    permission: Permission,
) -> Result<Environment> {
    let found = tenancy::find_environment(conn, &ctx.tenant(), name)
        .await?
        .ok_or(IamError::NotFound)?;
    let target = Target::new("organizations", &found.name).in_environment(&found.id);
    authorize(ctx, permission, target)?;
    Ok(found)
}

/// The members of the account, by name. `search` is a part of the name or address.
pub(super) async fn list(
    app: &App,
    ctx: &Context,
    organization: &str,
    search: Option<&str>,
    page: Page,
) -> Result<(Environment, Paged<Member>)> {
    let mut conn = app.db.acquire().await?;
    let found = environment(&mut conn, ctx, organization, Permission::UsersRead).await?;
    let members = store::page_of_members(&mut conn, &ctx.tenant(), search, page).await?;
    Ok((found, members))
}

/// Makes a user and their membership. Gives the password that was made up for them, if one was.
///
/// # Errors
/// [`IamError::UsernameTaken`], [`IamError::Invalid`].
pub(super) async fn create(
    app: &App,
    ctx: &Context,
    organization: &str,
    new: NewMember,
) -> Result<(Environment, Member, Option<Secret>)> {
    let mut conn = app.db.acquire().await?;
    let found = environment(&mut conn, ctx, organization, Permission::UsersUpdate).await?;
    drop(conn);
    let made_up = new.password.is_none().then(random_password);
    let user = NewUser {
        username: new.username,
        email: new.email,
        password: new.password.or_else(|| made_up.clone()),
        role: new.role,
    };
    let member = users::create_user(app, ctx, user).await?;
    Ok((found, member, made_up))
}

/// 144 bits, in letters that can't be taken for each other.
fn random_password() -> Secret {
    Secret::new(bs58::encode(rand::random::<[u8; 18]>()).into_string())
}

/// Ends a membership: the member's tokens in the account stop working, and they leave its teams.
///
/// # Errors
/// [`IamError::OwnMembership`] and [`IamError::LastAdministrator`]: somebody must be left who can add
/// people.
pub(super) async fn delete(app: &App, ctx: &Context, id: &UserId) -> Result<()> {
    let tenant = ctx.tenant();
    let mut tx = app.db.begin().await?;
    let administrators = Administrators::before(&mut tx, &tenant).await?;
    let member = store::find_member(&mut tx, &tenant, id)
        .await?
        .ok_or(IamError::NotFound)?;
    let proof = authorize(ctx, Permission::UsersUpdate, Target::new("users", id))?;
    if ctx.actor.user().as_ref() == Some(id) {
        return Err(IamError::OwnMembership);
    }
    store::delete_membership(&mut tx, &tenant, id).await?;
    administrators.check_after(&mut tx, &tenant).await?;
    let detail = json!({ "username": member.username, "role": member.role });
    audit::record(&mut tx, ctx, &proof, "user.remove", detail).await?;
    tx.commit().await?;
    Ok(())
}
