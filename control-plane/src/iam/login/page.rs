//! The pages that a browser sees: plain HTML without scripts, rendered here.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use http::{HeaderValue, StatusCode, header};
use minijinja::value::Serde;
use minijinja::{Environment, context};
use sha2::{Digest, Sha256};

use super::csrf::{BrowserCookie, Purpose};
use super::request::AuthorizationRequest;
use crate::app::App;

const STYLE: &str = include_str!("page.css");

/// Names end in `.html`, which is what turns escaping on.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    for (name, source) in [
        ("sign-in.html", include_str!("sign-in.html")),
        ("consent.html", include_str!("consent.html")),
        ("refused.html", include_str!("refused.html")),
    ] {
        templates
            .add_template(name, source)
            .expect("the template is checked by a test");
    }
    templates
});

static STYLE_HASH: LazyLock<String> =
    LazyLock::new(|| format!("sha256-{}", STANDARD.encode(Sha256::digest(STYLE))));

/// The sign-in form, with what went wrong before.
pub(super) fn sign_in(
    app: &App,
    status: StatusCode,
    request: &AuthorizationRequest,
    cookie: &BrowserCookie,
    username: &str,
    problem: Option<&str>,
) -> Response {
    let purpose = Purpose::SignIn;
    let values = context! { username => username, problem => problem };
    form(
        "sign-in.html",
        app,
        status,
        request,
        cookie,
        purpose,
        values,
    )
}

/// The form of a browser that is signed in already.
pub(super) fn consent(
    app: &App,
    request: &AuthorizationRequest,
    cookie: &BrowserCookie,
    session: &Secret,
    username: &str,
) -> Response {
    let (status, purpose) = (StatusCode::OK, Purpose::Consent(session));
    let values = context! { username => username };
    form(
        "consent.html",
        app,
        status,
        request,
        cookie,
        purpose,
        values,
    )
}

fn form(
    template: &str,
    app: &App,
    status: StatusCode,
    request: &AuthorizationRequest,
    cookie: &BrowserCookie,
    purpose: Purpose<'_>,
    values: minijinja::Value,
) -> Response {
    let listener = request.redirect_uri.origin().ascii_serialization();
    let values = context! {
        style => STYLE,
        host => app.installation.public_url.host_str(),
        listener => &listener,
        params => Serde(&request.params),
        csrf => cookie.form_token(app, purpose, &request.params),
        ..values
    };
    // Browsers hold the redirect after the form to `form-action` too.
    let mut response = html(template, values, status, &format!("'self' {listener}"));
    if let Some(value) = cookie.header(app) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// A page that says why there is no form.
pub(super) fn refused(status: StatusCode, problem: &str) -> Response {
    html(
        "refused.html",
        context! { style => STYLE, problem => problem },
        status,
        "'none'",
    )
}

fn html(name: &str, values: minijinja::Value, status: StatusCode, form_action: &str) -> Response {
    let rendered = TEMPLATES
        .get_template(name)
        .and_then(|template| template.render(values));
    let page = match rendered {
        Ok(page) => page,
        Err(error) => {
            tracing::error!(error = %error, name, "a page can't be rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let policy = format!(
        "default-src 'none'; style-src '{}'; form-action {form_action}; base-uri 'none'; \
         frame-ancestors 'none'",
        *STYLE_HASH
    );
    let mut response = (status, page).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    match HeaderValue::from_str(&policy) {
        Ok(value) => {
            headers.insert(header::CONTENT_SECURITY_POLICY, value);
            response
        }
        // A page without its policy is not shown.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
