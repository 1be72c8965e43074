//! What comes of a provider's word: a session, or a test that is passed.

use domain::Secret;
use domain::access::ActorKind;
use domain::ids::SessionId;
use http::HeaderMap;
use serde_json::json;

use super::error::SsoError;
use super::flow::Flow;
use crate::app::App;
use crate::audit;
use crate::context::{Actor, Context, Origin, Tenant};
use crate::iam::identity::{self, Asserted, Provider};
use crate::iam::login::session::{self, Opening};
use crate::iam::login::site::Site;
use crate::iam::{Target, find_member, granted_actor};
use crate::tenancy::SealedPlace;

type Result<T> = std::result::Result<T, SsoError>;

/// What the browser gets.
pub(super) enum Outcome {
    /// Its session, for the cookie.
    SignedIn(Secret),
    /// A test sign-in; whether the browser's user can sign in this way from now on.
    Tested { linked: bool },
}

/// Where a session keeps the ID token that it will end with.
pub(in crate::iam::login) fn token_place(id: &SessionId) -> SealedPlace {
    SealedPlace::new("session-id-token", id)
}

/// The control plane itself, in the provider's account.
fn system(app: &App, origin: &Origin, provider: &Provider) -> Context {
    let actor = Actor::system(&provider.account_id, &format!("sign-in: {}", provider.name));
    Context::from_origin(actor, origin, app.clock.clone())
}

/// A browser in which a provider has spoken for somebody.
pub(super) struct Arrival<'a> {
    pub origin: &'a Origin,
    pub headers: &'a HeaderMap,
    pub site: &'a Site,
    pub provider: &'a Provider,
    pub flow: &'a Flow,
}

pub(super) async fn finish(
    app: &App,
    arrival: &Arrival<'_>,
    asserted: Asserted,
    id_token: Option<&Secret>,
) -> Result<Outcome> {
    match &arrival.flow.ticket {
        Some(ticket) => test(app, arrival, ticket, asserted).await,
        None => sign_in(app, arrival, asserted, id_token).await,
    }
}

async fn sign_in(
    app: &App,
    arrival: &Arrival<'_>,
    asserted: Asserted,
    id_token: Option<&Secret>,
) -> Result<Outcome> {
    let provider = arrival.provider;
    let tenant = Tenant::of_row(&provider.account_id);
    let ctx = system(app, arrival.origin, provider);
    let mut tx = app.db.begin().await?;
    let member = identity::sign_in(app, &mut tx, &ctx, provider, asserted).await?;
    if let Some(earlier) = session::sent(app, arrival.headers) {
        session::end(&mut tx, &earlier).await?;
    }
    let id = SessionId::random();
    let sealed = match id_token {
        Some(token) => {
            let bytes = token.expose().as_bytes();
            Some(
                app.keys
                    .seal(&mut tx, &tenant, &token_place(&id), bytes)
                    .await?,
            )
        }
        None => None,
    };
    let opening = Opening {
        provider: Some((provider.account_id.clone(), provider.id.clone())),
        sealed_id_token: sealed,
        id: Some(id),
        ..Opening::of(arrival.origin, arrival.headers)
    };
    let text = session::begin(&mut tx, &member.id, opening, ctx.now()).await?;
    let actor = member.actor(&provider.account_id);
    let ctx = Context::from_origin(actor, arrival.origin, app.clock.clone());
    let target = Target::new("users", &member.id);
    let detail = json!({ "provider": provider.id });
    audit::record_attempt(&mut tx, &ctx, target, "user.sign-in", "done", detail).await?;
    tx.commit().await?;
    Ok(Outcome::SignedIn(text))
}

/// The provider has worked. The browser's own user is tied to what it said only if it is the user
/// who has asked for the test: a link that somebody sends around ties nobody.
async fn test(
    app: &App,
    arrival: &Arrival<'_>,
    ticket: &str,
    asserted: Asserted,
) -> Result<Outcome> {
    let provider = arrival.provider;
    let now = app.clock.now();
    let tenant = Tenant::of_row(&provider.account_id);
    let mut tx = app.db.begin().await?;
    let ticket = identity::redeem(&mut tx, provider, ticket, now)
        .await?
        .ok_or(SsoError::Ticket)?;
    let member = find_member(&mut tx, &tenant, &ticket.user_id)
        .await?
        .ok_or(SsoError::Ticket)?;
    let mut own = false;
    if let Some(session) = session::sent(app, arrival.headers) {
        let user = session::user(&mut tx, &session, arrival.site, now).await?;
        own = user.is_some_and(|it| it.id == member.id);
    }
    let linked = own && identity::link(&mut tx, provider, &member.id, asserted, now).await?;
    let actor = granted_actor(&mut tx, &tenant, &member).await?;
    let ctx = Context::from_origin(actor, arrival.origin, app.clock.clone());
    identity::complete(&mut tx, &ctx, provider, &member.id, linked).await?;
    tx.commit().await?;
    Ok(Outcome::Tested { linked })
}

/// Writes down that a provider's word was not taken. The reason is ours, nothing of what was sent.
pub(super) async fn record_failure(
    app: &App,
    origin: &Origin,
    provider: &Provider,
    reason: &str,
) -> std::result::Result<(), db::Error> {
    let actor = Actor {
        kind: ActorKind::User,
        id: "unknown".to_owned(),
        ..Actor::system(&provider.account_id, "unknown")
    };
    let ctx = Context::from_origin(actor, origin, app.clock.clone());
    let mut tx = app.db.begin().await?;
    let target = Target::new("identity-providers", &provider.id);
    let detail = json!({ "reason": reason });
    audit::record_attempt(&mut tx, &ctx, target, "user.sign-in", "failed", detail).await?;
    tx.commit().await
}
