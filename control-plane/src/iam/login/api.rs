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
use super::service::{self, TokenRequest};
use super::session;
use crate::app::App;
use crate::context::Origin;
use crate::http::error::chain;

pub fn routes() -> OpenApiRouter<Arc<App>> {
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
    csrf: String,
    #[serde(flatten)]
    params: Params,
}

fn no_password() -> Secret {
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
    headers: HeaderMap,
    params: Result<Query<Params>, QueryRejection>,
) -> Response {
    let Ok(Query(params)) = params else {
        return page::refused(StatusCode::BAD_REQUEST, "the request can't be read");
    };
    match AuthorizationRequest::parse(params) {
        Ok(request) => {
            let cookie = BrowserCookie::of(&app, &headers);
            match signed_in(&app, &headers).await {
                Some((session, user)) => page::consent(&app, &request, &cookie, &session, &user),
                None => page::sign_in(&app, StatusCode::OK, &request, &cookie, "", None),
            }
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// The browser's session and the name of its user.
async fn signed_in(app: &App, headers: &HeaderMap) -> Option<(Secret, String)> {
    let session = session::sent(app, headers)?;
    let found = async {
        let mut conn = app.db.acquire().await?;
        session::user(&mut conn, &session, app.clock.now()).await
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
    let again = |status, problem: &str| {
        page::sign_in(
            &app,
            status,
            &request,
            &cookie,
            &form.username,
            Some(problem),
        )
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
        return again(
            StatusCode::FORBIDDEN,
            "The page was too old. Please sign in once more.",
        );
    }
    let outcome = match (form.action.as_str(), &session) {
        (SIGN_OUT, Some(session)) => {
            match service::sign_out(&app, &origin, &request, session).await {
                Ok(()) => {
                    let page = page::sign_in(&app, StatusCode::OK, &request, &cookie, "", None);
                    return with_cookie(page, session::no_cookie(&app));
                }
                Err(error) => Err(error),
            }
        }
        (APPROVE, Some(session)) => {
            match service::approve(&app, &origin, &request, session).await {
                Ok(Some(code)) => Ok((code, None)),
                Ok(None) => {
                    let page = again(
                        StatusCode::UNAUTHORIZED,
                        "You are not signed in any more. Please sign in once more.",
                    );
                    return with_cookie(page, session::no_cookie(&app));
                }
                Err(error) => Err(error),
            }
        }
        (_, earlier) => {
            let (name, password) = (&form.username, &form.password);
            service::sign_in(&app, &origin, &request, name, password, earlier.as_ref())
                .await
                .map(|it| (it.code, session::cookie(&app, &it.session)))
        }
    };
    match outcome {
        Ok((code, cookie)) => {
            let back = request.answer(&[("code", code.expose())]);
            with_cookie(Redirect::to(back.as_str()).into_response(), cookie)
        }
        Err(error @ SignInError::WrongPassword) => {
            again(StatusCode::UNAUTHORIZED, &error.to_string())
        }
        Err(ref error @ SignInError::TooManyAttempts { until }) => {
            let mut response = again(StatusCode::TOO_MANY_REQUESTS, &error.to_string());
            let seconds = (until - app.clock.now()).num_seconds().max(0) + 1;
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Err(SignInError::Failed(error)) => {
            tracing::error!(error = chain(&error), "a sign-in failed");
            again(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server failed. Try again shortly.",
            )
        }
    }
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
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
