//! The pages behind links: accepting an invitation, and a new password.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use domain::Secret;
use http::{HeaderMap, StatusCode};
use minijinja::context;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::csrf::{self, BrowserCookie, Purpose};
use super::page;
use super::request::Params;
use super::site::Site;
use super::{return_to, session};
use crate::app::App;
use crate::context::Origin;
use crate::http::error::chain;
use crate::iam::IamError;
use crate::iam::links::{self, Kind, Link};
use crate::problem::{Kind as ProblemKind, Problem};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_invitation, accept))
        .routes(routes!(show_password, set_password))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Opened {
    token: String,
}

#[derive(Deserialize)]
struct LinkForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    csrf: String,
    /// `join`: as the user who is signed in.
    #[serde(default)]
    action: String,
    #[serde(default)]
    username: String,
    #[serde(default = "super::api::no_password")]
    password: Secret,
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Invitation => "invitation v1",
        Kind::Password => "password link v1",
    }
}

fn over() -> Response {
    page::refused(
        StatusCode::NOT_FOUND,
        "this link is used up or too old; ask for a new one",
    )
}

fn failed(error: &IamError) -> Response {
    tracing::error!(error = chain(error), "a link can't be used");
    page::refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the server failed; try again shortly",
    )
}

/// The user in this browser, if their own password has signed them in: a provider of another account
/// speaks for them there and not here.
async fn local_user(
    app: &App,
    site: &Site,
    headers: &HeaderMap,
) -> Option<(domain::ids::UserId, String)> {
    let text = session::sent(app, headers)?;
    let anywhere = Site {
        account: None,
        base: site.base.clone(),
    };
    let mut conn = app.db.acquire().await.ok()?;
    if session::provider(&mut conn, &text).await.ok()?.is_some() {
        return None;
    }
    let found = session::user(&mut conn, &text, &anywhere, app.clock.now());
    found.await.ok()?.map(|it| (it.id, it.username))
}

async fn draw(
    app: &App,
    site: &Site,
    headers: &HeaderMap,
    kind: Kind,
    token: &str,
    problem: Option<(StatusCode, &str)>,
) -> Response {
    let link = match links::open(app, kind, token).await {
        Ok(Some(link)) => link,
        Ok(None) => return over(),
        Err(error) => return failed(&error),
    };
    let cookie = BrowserCookie::of(app, headers);
    let (status, problem) = match problem {
        Some((status, text)) => (status, Some(text)),
        None => (StatusCode::OK, None),
    };
    let purpose = Purpose::Page(name(kind), token);
    match kind {
        Kind::Invitation => {
            let user = local_user(app, site, headers).await.map(|it| it.1);
            let values = context! {
                token => token, problem => problem, email => link.email, signed_in => user,
            };
            page::own_form("invitation.html", app, status, &cookie, purpose, values)
        }
        Kind::Password => {
            let values = context! { token => token, problem => problem };
            page::own_form("password.html", app, status, &cookie, purpose, values)
        }
    }
}

/// The link behind a form that came from its own page.
async fn genuine(
    app: &App,
    site: &Site,
    headers: &HeaderMap,
    kind: Kind,
    form: &LinkForm,
) -> Result<Link, Response> {
    let purpose = Purpose::Page(name(kind), &form.token);
    if !csrf::is_genuine(app, headers, purpose, &Params::default(), &form.csrf) {
        let problem = (
            StatusCode::FORBIDDEN,
            "The page was too old. Please try once more.",
        );
        return Err(draw(app, site, headers, kind, &form.token, Some(problem)).await);
    }
    match links::open(app, kind, &form.token).await {
        Ok(Some(link)) => Ok(link),
        Ok(None) => Err(over()),
        Err(error) => Err(failed(&error)),
    }
}

/// What the person can put right is said on the page again.
async fn again(
    app: &App,
    site: &Site,
    headers: &HeaderMap,
    kind: Kind,
    token: &str,
    error: IamError,
) -> Response {
    match error.kind() {
        ProblemKind::Invalid => {
            let text = error.to_string();
            let problem = (StatusCode::UNPROCESSABLE_ENTITY, text.as_str());
            draw(app, site, headers, kind, token, Some(problem)).await
        }
        ProblemKind::NotFound => over(),
        ProblemKind::Malformed
        | ProblemKind::Unauthenticated
        | ProblemKind::Forbidden
        | ProblemKind::Conflict
        | ProblemKind::TooLarge
        | ProblemKind::Unavailable
        | ProblemKind::Internal => failed(&error),
    }
}

/// Shows an invitation.
#[utoipa::path(get, path = "/invitation", tag = "login", security(()),
    params(("token" = String, Query)),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 404, body = String, content_type = "text/html")))]
async fn show_invitation(
    State(app): State<Arc<App>>,
    site: Site,
    headers: HeaderMap,
    Query(opened): Query<Opened>,
) -> Response {
    draw(&app, &site, &headers, Kind::Invitation, &opened.token, None).await
}

/// Accepts an invitation, as a new user or as the one who is signed in.
#[utoipa::path(post, path = "/invitation", tag = "login", security(()),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 403, body = String, content_type = "text/html"),
        (status = 404, body = String, content_type = "text/html"),
        (status = 422, body = String, content_type = "text/html")))]
async fn accept(
    State(app): State<Arc<App>>,
    origin: Origin,
    site: Site,
    headers: HeaderMap,
    form: Result<Form<LinkForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return page::refused(StatusCode::BAD_REQUEST, "the form can't be read");
    };
    let link = match genuine(&app, &site, &headers, Kind::Invitation, &form).await {
        Ok(link) => link,
        Err(response) => return response,
    };
    let done = if form.action == "join" {
        match local_user(&app, &site, &headers).await {
            Some((user, _)) => links::join(&app, &origin, &link, &user).await,
            None => {
                let text = "You are not signed in any more. Sign in, then open the link again.";
                let problem = (StatusCode::UNPROCESSABLE_ENTITY, text);
                let token = &form.token;
                return draw(
                    &app,
                    &site,
                    &headers,
                    Kind::Invitation,
                    token,
                    Some(problem),
                )
                .await;
            }
        }
    } else {
        links::accept(&app, &origin, &link, form.username, &form.password)
            .await
            .map(drop)
    };
    match done {
        Ok(()) => page::go_on(return_to::HOME),
        Err(error) => again(&app, &site, &headers, Kind::Invitation, &form.token, error).await,
    }
}

/// Shows the form for a new password.
#[utoipa::path(get, path = "/password-reset", tag = "login", security(()),
    params(("token" = String, Query)),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 404, body = String, content_type = "text/html")))]
async fn show_password(
    State(app): State<Arc<App>>,
    site: Site,
    headers: HeaderMap,
    Query(opened): Query<Opened>,
) -> Response {
    draw(&app, &site, &headers, Kind::Password, &opened.token, None).await
}

/// Sets a new password.
#[utoipa::path(post, path = "/password-reset", tag = "login", security(()),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 403, body = String, content_type = "text/html"),
        (status = 404, body = String, content_type = "text/html"),
        (status = 422, body = String, content_type = "text/html")))]
async fn set_password(
    State(app): State<Arc<App>>,
    origin: Origin,
    site: Site,
    headers: HeaderMap,
    form: Result<Form<LinkForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return page::refused(StatusCode::BAD_REQUEST, "the form can't be read");
    };
    let link = match genuine(&app, &site, &headers, Kind::Password, &form).await {
        Ok(link) => link,
        Err(response) => return response,
    };
    match links::reset(&app, &origin, &link, &form.password).await {
        Ok(()) => page::go_on(return_to::HOME),
        Err(error) => again(&app, &site, &headers, Kind::Password, &form.token, error).await,
    }
}
