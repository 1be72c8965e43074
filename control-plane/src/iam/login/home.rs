//! `/sign-in`: the page of a browser that no CLI has sent.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::Secret;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::csrf::{self, BrowserCookie, Purpose};
use super::error::SignInError;
use super::page::{self, Home};
use super::request::Params;
use super::service::{self, Attempt};
use super::site::Site;
use super::{return_to, session, sso, with_cookie};
use crate::app::App;
use crate::context::Origin;
use crate::http::error::chain;

/// The names of the page's two forms.
pub(super) const SIGN_IN: &str = "home sign-in v1";
pub(super) const SIGN_OUT: &str = "home sign-out v1";

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show, submit))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    return_to: Option<String>,
}

#[derive(Deserialize)]
struct HomeForm {
    /// `sign-out`; else it is name and password.
    #[serde(default)]
    action: String,
    #[serde(default)]
    username: String,
    #[serde(default = "super::api::no_password")]
    password: Secret,
    #[serde(default)]
    one_time_code: String,
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    return_to: String,
}

/// Shows who is signed in, or the ways to sign in.
#[utoipa::path(get, path = "/sign-in", tag = "login", security(()),
    params(("return_to" = Option<String>, Query)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn show(
    State(app): State<Arc<App>>,
    site: Site,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let to = return_to::checked(asked.return_to.as_deref());
    draw(&app, &site, &headers, StatusCode::OK, &to, "", None).await
}

async fn draw(
    app: &App,
    site: &Site,
    headers: &HeaderMap,
    status: StatusCode,
    to: &str,
    username: &str,
    problem: Option<&str>,
) -> Response {
    let cookie = BrowserCookie::of(app, headers);
    let signed_in = super::api::signed_in(app, site, headers).await;
    let home = Home {
        return_to: to,
        username,
        problem,
    };
    match signed_in {
        Some((session, user)) if problem.is_none() => {
            page::signed_in(app, &cookie, &session, &user)
        }
        Some(_) | None => match sso::choices(app, site, to).await {
            Ok(choices) => page::home(app, status, &cookie, &home, choices),
            Err(error) => failed(&error),
        },
    }
}

fn failed(error: &dyn std::error::Error) -> Response {
    tracing::error!(error = chain(error), "a sign-in page can't be shown");
    page::refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the server failed; try again shortly",
    )
}

/// Signs in by password, or out.
#[utoipa::path(post, path = "/sign-in", tag = "login", security(()),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303), (status = 200, body = String, content_type = "text/html"),
        (status = 400, body = String, content_type = "text/html"),
        (status = 401, body = String, content_type = "text/html"),
        (status = 403, body = String, content_type = "text/html"),
        (status = 429, body = String, content_type = "text/html")))]
async fn submit(
    State(app): State<Arc<App>>,
    origin: Origin,
    site: Site,
    headers: HeaderMap,
    form: Result<Form<HomeForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return page::refused(StatusCode::BAD_REQUEST, "the form can't be read");
    };
    let to = return_to::checked(Some(&form.return_to));
    let session = session::sent(&app, &headers);
    let (leaving, about) = match &session {
        Some(session) if form.action == "sign-out" => (true, session.expose().as_str()),
        Some(_) | None => (false, to.as_str()),
    };
    let name = if leaving { SIGN_OUT } else { SIGN_IN };
    let purpose = Purpose::Page(name, about);
    if !csrf::is_genuine(&app, &headers, purpose, &Params::default(), &form.csrf) {
        let problem = "The page was too old. Please sign in once more.";
        let status = StatusCode::FORBIDDEN;
        return draw(&app, &site, &headers, status, &to, "", Some(problem)).await;
    }
    if let (true, Some(session)) = (leaving, &session) {
        return sign_out(&app, &origin, &site, session).await;
    }
    let attempt = Attempt {
        origin: &origin,
        headers: &headers,
        site: &site,
        username: &form.username,
        password: &form.password,
        one_time_code: &form.one_time_code,
    };
    match service::sign_in(&app, &attempt, None).await {
        Ok(it) => with_cookie(
            Redirect::to(&to).into_response(),
            session::cookie(&app, &it.session),
        ),
        Err(error) => {
            let (status, text) = said(&error);
            let username = form.username.as_str();
            let mut response =
                draw(&app, &site, &headers, status, &to, username, Some(&text)).await;
            if let SignInError::TooManyAttempts { until } = error {
                let seconds = (until - app.clock.now()).num_seconds().max(0) + 1;
                let value = HeaderValue::from(seconds);
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            response
        }
    }
}

/// What a page says of a sign-in that failed.
pub(super) fn said(error: &SignInError) -> (StatusCode, String) {
    match error {
        SignInError::WrongPassword | SignInError::WrongCode | SignInError::ProviderOnly => {
            (StatusCode::UNAUTHORIZED, error.to_string())
        }
        SignInError::TooManyAttempts { .. } => (StatusCode::TOO_MANY_REQUESTS, error.to_string()),
        SignInError::Failed(cause) => {
            tracing::error!(error = chain(cause), "a sign-in failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server failed. Try again shortly.".to_owned(),
            )
        }
    }
}

async fn sign_out(app: &App, origin: &Origin, site: &Site, session: &Secret) -> Response {
    match service::sign_out(app, origin, site, session).await {
        Ok(elsewhere) => {
            let page = page::signed_out(elsewhere.as_ref());
            with_cookie(page, session::no_cookie(app))
        }
        Err(error) => failed(&error),
    }
}
