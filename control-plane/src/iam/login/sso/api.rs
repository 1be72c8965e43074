//! Routes of signing in through a provider.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::ids::{AccountId, IdentityProviderId};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SsoError;
use super::finish::{Arrival, Outcome, finish, record_failure};
use super::flow::{self, Flow};
use crate::app::App;
use crate::context::Origin;
use crate::http::error::chain;
use crate::iam::hash_token;
use crate::iam::identity::{self, Provider, Settings};
use crate::iam::login::cookies::SameSite;
use crate::iam::login::oidc;
use crate::iam::login::page::{self, Choice};
use crate::iam::login::site::Site;
use crate::iam::login::{return_to, session, with_cookie};

type Result<T> = std::result::Result<T, SsoError>;

pub(in crate::iam::login) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(leave))
        .routes(routes!(come_back))
}

/// The ways in that a sign-in page offers besides a password.
///
/// # Errors
/// The database's own.
pub(in crate::iam::login) async fn choices(
    app: &App,
    site: &Site,
    return_to: &str,
) -> std::result::Result<Vec<Choice>, db::Error> {
    let mut conn = app.db.acquire().await?;
    let Some(account) = site.account(&mut conn).await? else {
        return Ok(Vec::new());
    };
    let providers = identity::offered(&mut conn, &account).await?;
    Ok(providers
        .into_iter()
        .map(|it| Choice {
            address: format!(
                "/sign-in/providers/{}?{}",
                it.id,
                url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("return_to", return_to)
                    .finish()
            ),
            name: it.name,
        })
        .collect())
}

async fn provider(app: &App, site: &Site, id: &str) -> Result<Provider> {
    let id: IdentityProviderId = id.parse().map_err(|_| SsoError::NoProvider)?;
    let mut conn = app.db.acquire().await?;
    let found = identity::speak_to(&mut conn, &id).await?;
    let leads = |account: &AccountId| site.leads_to(account);
    found
        .filter(|it| leads(&it.account_id))
        .ok_or(SsoError::NoProvider)
}

fn refused(error: &SsoError) -> Response {
    if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(error = chain(error), "a sign-in through a provider failed");
    }
    page::refused(error.status(), &error.shown())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Leaving {
    return_to: Option<String>,
    ticket: Option<String>,
}

/// Sends the browser to an identity provider.
#[utoipa::path(get, path = "/sign-in/providers/{identity_provider_id}", tag = "login", security(()),
    params(("identity_provider_id" = String, Path), ("return_to" = Option<String>, Query),
        ("ticket" = Option<String>, Query)),
    responses((status = 303), (status = 404, body = String, content_type = "text/html"),
        (status = 502, body = String, content_type = "text/html")))]
async fn leave(
    State(app): State<Arc<App>>,
    site: Site,
    Path(id): Path<String>,
    Query(leaving): Query<Leaving>,
) -> Response {
    match away(&app, &site, &id, leaving).await {
        Ok(response) => response,
        Err(error) => refused(&error),
    }
}

async fn away(app: &App, site: &Site, id: &str, leaving: Leaving) -> Result<Response> {
    let provider = provider(app, site, id).await?;
    let flow = Flow::new(
        &provider.id,
        &site.base,
        return_to::checked(leaving.return_to.as_deref()),
        leaving.ticket.map(|text| hash_token(&text)),
        app.clock.now(),
    );
    let (url, same_site) = match &provider.settings {
        Settings::Oidc(settings) => (
            oidc::authorization_url(app, &provider, settings, &flow).await?,
            SameSite::Lax,
        ),
    };
    let cookie = flow.cookie(app, same_site).ok_or(SsoError::Foreign)?;
    let response = Redirect::to(url.as_str()).into_response();
    Ok(with_cookie(response, Some(cookie)))
}

/// Takes the answer of an OpenID Connect provider.
#[utoipa::path(get, path = "/sign-in/providers/{identity_provider_id}/callback", tag = "login",
    security(()),
    params(("identity_provider_id" = String, Path), ("state" = String, Query),
        ("code" = Option<String>, Query), ("iss" = Option<String>, Query),
        ("error" = Option<String>, Query)),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 400, body = String, content_type = "text/html"),
        (status = 403, body = String, content_type = "text/html"),
        (status = 404, body = String, content_type = "text/html"),
        (status = 502, body = String, content_type = "text/html")))]
async fn come_back(
    State(app): State<Arc<App>>,
    origin: Origin,
    site: Site,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(answer): Query<oidc::Answer>,
) -> Response {
    let response = match back(&app, &origin, &site, &headers, &id, &answer).await {
        Ok(response) => response,
        Err(error) => refused(&error),
    };
    // Whatever came of it: the flow is over.
    with_cookie(response, flow::no_cookie(&app, SameSite::Lax))
}

async fn back(
    app: &App,
    origin: &Origin,
    site: &Site,
    headers: &HeaderMap,
    id: &str,
    answer: &oidc::Answer,
) -> Result<Response> {
    let provider = provider(app, site, id).await?;
    let flow = Flow::sent(app, headers, &provider.id, &answer.state).ok_or(SsoError::Foreign)?;
    #[expect(irrefutable_let_patterns, reason = "further kinds come back elsewhere")]
    let Settings::Oidc(settings) = &provider.settings else {
        return Err(SsoError::NoProvider);
    };
    let mut conn = app.db.acquire().await?;
    let secret = identity::secret_of(app, &mut conn, &provider).await?;
    drop(conn);
    let identified = oidc::identify(app, &provider, settings, secret.as_ref(), &flow, answer).await;
    let arrival = Arrival {
        origin,
        headers,
        site,
        provider: &provider,
        flow: &flow,
    };
    let outcome = match identified {
        Ok((asserted, token)) => finish(app, &arrival, asserted, Some(&token)).await,
        Err(error) => Err(error.into()),
    };
    arrived(app, &arrival, outcome).await
}

/// The page that a browser gets whose provider has answered.
async fn arrived(app: &App, arrival: &Arrival<'_>, outcome: Result<Outcome>) -> Result<Response> {
    match outcome {
        Ok(Outcome::SignedIn(text)) => {
            // A page and no redirect: only what begins here brings our strict cookies along.
            let page = page::go_on(&arrival.flow.return_to);
            Ok(with_cookie(page, session::cookie(app, &text)))
        }
        Ok(Outcome::Tested { linked }) => Ok(page::tested(&arrival.provider.name, linked)),
        Err(error) => {
            let told = matches!(
                error,
                SsoError::Oidc(oidc::OidcError::Token(_)) | SsoError::Refused(_)
            );
            if told {
                let reason = error.shown();
                record_failure(app, arrival.origin, arrival.provider, &reason).await?;
            }
            Err(error)
        }
    }
}
