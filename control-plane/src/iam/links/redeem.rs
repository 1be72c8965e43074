//! What comes of a link that somebody opens.

use domain::Secret;
use domain::access::Role;
use domain::ids::UserId;
use domain::permission::Permission;
use serde_json::json;

use super::store::{self, Kind, Link};
use crate::app::App;
use crate::audit;
use crate::context::{Actor, Context, Origin, Tenant};
use crate::iam::model::{Member, NewUser};
use crate::iam::{
    IamError, Target, authorize, find_member, hash_token, password, service, store as people,
};

type Result<T> = std::result::Result<T, IamError>;

/// The control plane itself, at the word of whoever has made the link.
fn system(app: &App, origin: &Origin, link: &Link) -> Context {
    let actor = Actor::system(&link.account_id, "link");
    Context::from_origin(actor, origin, app.clock.clone())
}

/// The link with this text, if it can be used still.
pub(in crate::iam) async fn open(app: &App, kind: Kind, text: &str) -> Result<Option<Link>> {
    let mut conn = app.db.acquire().await?;
    let now = app.clock.now();
    Ok(store::by_hash(&mut conn, kind, &hash_token(text), now).await?)
}

async fn take(tx: &mut db::Tx, link: &Link) -> Result<()> {
    if store::take(tx, &link.id).await? {
        Ok(())
    } else {
        Err(IamError::NotFound)
    }
}

/// Makes a user of whoever was invited.
///
/// # Errors
/// [`IamError::Invalid`], [`IamError::UsernameTaken`]; the invitation stays good then.
pub(in crate::iam) async fn accept(
    app: &App,
    origin: &Origin,
    link: &Link,
    username: String,
    new_password: &Secret,
) -> Result<Member> {
    password::check_rules(new_password)?;
    let hash = password::hash(new_password).await?;
    let ctx = system(app, origin, link);
    let mut tx = app.db.begin().await?;
    take(&mut tx, link).await?;
    let new = NewUser {
        username,
        email: link.email.clone(),
        password: None,
        role: link.role.unwrap_or(Role::Reader),
    };
    let member = service::insert_user(&mut tx, &ctx, new, Some(&hash)).await?;
    let proof = authorize(
        &ctx,
        Permission::UsersUpdate,
        Target::new("users", &member.id),
    )?;
    let detail = json!({ "invitation": link.id });
    audit::record(&mut tx, &ctx, &proof, "invitation.accept", detail).await?;
    tx.commit().await?;
    Ok(member)
}

/// Makes somebody who is a user already a member too.
pub(in crate::iam) async fn join(
    app: &App,
    origin: &Origin,
    link: &Link,
    user: &UserId,
) -> Result<()> {
    let ctx = system(app, origin, link);
    let tenant = Tenant::of_row(&link.account_id);
    let role = link.role.unwrap_or(Role::Reader);
    let mut tx = app.db.begin().await?;
    take(&mut tx, link).await?;
    let new = store::insert_membership(&mut tx, &tenant, user, ctx.now()).await?;
    if new {
        crate::iam::grants::grant_member(&mut tx, &ctx, user, role, ctx.now()).await?;
    }
    let proof = authorize(&ctx, Permission::UsersUpdate, Target::new("users", user))?;
    let detail = json!({ "invitation": link.id, "role": role, "member_already": !new });
    audit::record(&mut tx, &ctx, &proof, "invitation.accept", detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Gives the link's user a new password: what the old one has opened is over.
///
/// # Errors
/// [`IamError::Invalid`]; the link stays good then. [`IamError::SharedUser`], as when it is made.
pub(in crate::iam) async fn reset(
    app: &App,
    origin: &Origin,
    link: &Link,
    new_password: &Secret,
) -> Result<()> {
    password::check_rules(new_password)?;
    let hash = password::hash(new_password).await?;
    let tenant = Tenant::of_row(&link.account_id);
    let user = link.user_id.as_ref().ok_or(IamError::NotFound)?;
    let ctx = system(app, origin, link);
    let mut tx = app.db.begin().await?;
    take(&mut tx, link).await?;
    tx.lock_row("users", user.as_str()).await?;
    let member = find_member(&mut tx, &tenant, user)
        .await?
        .ok_or(IamError::NotFound)?;
    // They may have joined another account since: the link's author has no say there.
    let of_operator = link.created_by == ctx.actor.id;
    if !of_operator && people::is_shared(&mut tx, &tenant, user).await? {
        return Err(IamError::SharedUser);
    }
    people::set_password(&mut tx, &member.id, &hash, ctx.now()).await?;
    let proof = authorize(&ctx, Permission::UsersUpdate, Target::new("users", user))?;
    let detail = json!({ "username": member.username });
    audit::record(&mut tx, &ctx, &proof, "user.reset-password", detail).await?;
    tx.commit().await?;
    Ok(())
}
