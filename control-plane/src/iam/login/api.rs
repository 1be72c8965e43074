//! Routes of `terraform login`: the page, its form, and the exchange of the code.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use domain::Secret;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::csrf::{self, BrowserCookie, Purpose};
use super::error::{ExchangeError, SignInError};
use super::page;
use super::request::{AuthorizationRequest, Params, Refusal};
use super::service::{self, Attempt, TokenRequest};
use super::site::Site;
use super::{home, session, sso, with_cookie};
use crate::app::App;
use crate::context::Origin;
use crate::http::error::chain;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show, submit))
        .routes(routes!(exchange))
}

/// What the pages' forms send.
#[derive(Deserialize)]
struct SignInForm {
    /// [`APPROVE`] or [`SIGN_OUT`]; else it is name and password.
    #[serde(default)]
    action: String,
    #[serde(default)]
    username: String,
    #[serde(default = "no_password")]
    password: Secret,
    #[serde(default)]
    one_time_code: String,
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    params: Params,
}

pub(super) fn no_password() -> Secret {
    Secret::new(String::new())
}

const APPROVE: &str = "approve";
const SIGN_OUT: &str = "sign-out";

impl Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Untrusted(problem) => page::refused(StatusCode::BAD_REQUEST, problem),
            Self::Answer(url) => Redirect::to(url.as_str()).into_response(),
        }
    }
}

/// Shows the page of `terraform login`: sign-in, or consent of a browser that is signed in.
#[utoipa::path(get, path = "/oauth/authorization", tag = "login", security(()),
    params(("client_id" = String, Query), ("redirect_uri" = String, Query),
        ("response_type" = String, Query), ("code_challenge" = String, Query),
        ("code_challenge_method" = String, Query), ("state" = Option<String>, Query)),
    responses((status = 200, body = String, content_type = "text/html"), (status = 303),
        (status = 400, body = String, content_type = "text/html")))]
async fn show(
    State(app): State<Arc<App>>,
    site: Site,
    headers: HeaderMap,
    params: Result<Query<Params>, QueryRejection>,
) -> Response {
    let Ok(Query(params)) = params else {
        return page::refused(StatusCode::BAD_REQUEST, "the request can't be read");
    };
    match AuthorizationRequest::parse(params) {
        Ok(request) => {
            let cookie = BrowserCookie::of(&app, &headers);
            match signed_in(&app, &site, &headers).await {
                Some((session, user)) => page::consent(&app, &request, &cookie, &session, &user),
                None => ask(&app, &site, StatusCode::OK, &request, &cookie, "", None).await,
            }
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// The sign-in page, with the account's identity providers.
async fn ask(
    app: &App,
    site: &Site,
    status: StatusCode,
    request: &AuthorizationRequest,
    cookie: &BrowserCookie,
    username: &str,
    problem: Option<&str>,
) -> Response {
    let choices = match sso::choices(app, site, &request.address()).await {
        Ok(choices) => choices,
        Err(error) => {
            // The password is left.
            tracing::error!(error = chain(&error), "the providers can't be looked up");
            Vec::new()
        }
    };
    page::sign_in(app, status, request, cookie, username, problem, choices)
}

/// The browser's session and the name of its user.
pub(super) async fn signed_in(
    app: &App,
    site: &Site,
    headers: &HeaderMap,
) -> Option<(Secret, String)> {
    let session = session::sent(app, headers)?;
    let found = async {
        let mut conn = app.db.acquire().await?;
        session::user(&mut conn, &session, site, app.clock.now()).await
    };
    match found.await {
        Ok(user) => user.map(|user| (session, user.username)),
        Err(error) => {
            // Signing in by password says what else is wrong.
            tracing::error!(error = chain(&error), "a session can't be looked up");
            None
        }
    }
}

/// Signs in and approves, or just approves: redirects to the CLI with a code. Or signs out.
#[utoipa::path(post, path = "/oauth/authorization", tag = "login", security(()),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303), (status = 400, body = String, content_type = "text/html"),
        (status = 401, body = String, content_type = "text/html"),
        (status = 403, body = String, content_type = "text/html"),
        (status = 429, body = String, content_type = "text/html")))]
async fn submit(
    State(app): State<Arc<App>>,
    origin: Origin,
    site: Site,
    headers: HeaderMap,
    form: Result<Form<SignInForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return page::refused(StatusCode::BAD_REQUEST, "the form can't be read");
    };
    let request = match AuthorizationRequest::parse(form.params) {
        Ok(request) => request,
        Err(refusal) => return refusal.into_response(),
    };
    let cookie = BrowserCookie::of(&app, &headers);
    let again = async |status, problem: &str| {
        let (name, problem) = (&form.username, Some(problem));
        ask(&app, &site, status, &request, &cookie, name, problem).await
    };
    let session = session::sent(&app, &headers);
    let purpose = match (form.action.as_str(), &session) {
        (APPROVE | SIGN_OUT, Some(session)) => Some(Purpose::Consent(session)),
        (APPROVE | SIGN_OUT, None) => None,
        _ => Some(Purpose::SignIn),
    };
    let genuine =
        purpose.is_some_and(|it| csrf::is_genuine(&app, &headers, it, &request.params, &form.csrf));
    if !genuine {
        let problem = "The page was too old. Please sign in once more.";
        return again(StatusCode::FORBIDDEN, problem).await;
    }
    let outcome = match (form.action.as_str(), &session) {
        (SIGN_OUT, Some(session)) => match service::sign_out(&app, &origin, &site, session).await {
            Ok(Some(elsewhere)) => {
                let page = page::signed_out(Some(&elsewhere));
                return with_cookie(page, session::no_cookie(&app));
            }
            Ok(None) => {
                let page = ask(&app, &site, StatusCode::OK, &request, &cookie, "", None).await;
                return with_cookie(page, session::no_cookie(&app));
            }
            Err(error) => Err(error),
        },
        (APPROVE, Some(session)) => {
            match service::approve(&app, &origin, &site, &request, session).await {
                Ok(Some(code)) => Ok((code, None)),
                Ok(None) => {
                    let problem = "You are not signed in any more. Please sign in once more.";
                    let page = again(StatusCode::UNAUTHORIZED, problem).await;
                    return with_cookie(page, session::no_cookie(&app));
                }
                Err(error) => Err(error),
            }
        }
        _ => {
            let attempt = Attempt {
                origin: &origin,
                headers: &headers,
                site: &site,
                username: &form.username,
                password: &form.password,
                one_time_code: &form.one_time_code,
            };
            match service::sign_in(&app, &attempt, Some(&request)).await {
                Ok(it) => {
                    let cookie = session::cookie(&app, &it.session);
                    match it.code {
                        Some(code) => Ok((code, cookie)),
                        None => return with_cookie(page::go_on(&request.address()), cookie),
                    }
                }
                Err(error) => Err(error),
            }
        }
    };
    match outcome {
        Ok((code, cookie)) => {
            let back = request.answer(&[("code", code.expose())]);
            with_cookie(Redirect::to(back.as_str()).into_response(), cookie)
        }
        Err(error) => {
            let (status, text) = home::said(&error);
            let mut response = again(status, &text).await;
            if let SignInError::TooManyAttempts { until } = error {
                let seconds = (until - app.clock.now()).num_seconds().max(0) + 1;
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

/// Gives an API token for a code.
#[utoipa::path(post, path = "/oauth/token", tag = "login", security(()),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Object), (status = 400, body = Object),
        (status = 401, body = Object)))]
async fn exchange(
    State(app): State<Arc<App>>,
    origin: Origin,
    form: Result<Form<TokenRequest>, FormRejection>,
) -> Result<Json<Value>, ExchangeError> {
    let Form(request) =
        form.map_err(|_| ExchangeError::InvalidRequest("the form can't be read"))?;
    let token = service::exchange(&app, &origin, request).await?;
    Ok(Json(
        json!({ "access_token": token.text.expose(), "token_type": "bearer" }),
    ))
}
