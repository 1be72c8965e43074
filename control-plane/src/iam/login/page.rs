//! The pages that a browser sees: plain HTML without scripts, rendered here.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use http::{HeaderValue, StatusCode, header};
use minijinja::value::Serde;
use minijinja::{Environment, context};
use serde::Serialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::csrf::{BrowserCookie, Purpose};
use super::home::{SIGN_IN, SIGN_OUT};
use super::request::{AuthorizationRequest, Params};
use crate::app::App;

const STYLE: &str = include_str!("page.css");

/// Names end in `.html`, which is what turns escaping on.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    for (name, source) in [
        ("sign-in.html", include_str!("sign-in.html")),
        ("consent.html", include_str!("consent.html")),
        ("refused.html", include_str!("refused.html")),
        ("home.html", include_str!("home.html")),
        ("signed-in.html", include_str!("signed-in.html")),
        ("go-on.html", include_str!("go-on.html")),
        ("notice.html", include_str!("notice.html")),
        ("invitation.html", include_str!("invitation.html")),
        ("password.html", include_str!("password.html")),
    ] {
        templates
            .add_template(name, source)
            .expect("the template is checked by a test");
    }
    templates
});

static STYLE_HASH: LazyLock<String> =
    LazyLock::new(|| format!("sha256-{}", STANDARD.encode(Sha256::digest(STYLE))));

/// A way in besides a password.
#[derive(Debug, Serialize)]
pub(super) struct Choice {
    pub name: String,
    pub address: String,
}

/// The sign-in form, with what went wrong before.
pub(super) fn sign_in(
    app: &App,
    status: StatusCode,
    request: &AuthorizationRequest,
    cookie: &BrowserCookie,
    username: &str,
    problem: Option<&str>,
    choices: Vec<Choice>,
) -> Response {
    let purpose = Purpose::SignIn;
    let values = context! { username => username, problem => problem, choices => Serde(&choices) };
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

/// What `/sign-in` shows to somebody who is not signed in.
#[derive(Debug)]
pub(super) struct Home<'a> {
    pub return_to: &'a str,
    pub username: &'a str,
    pub problem: Option<&'a str>,
}

/// The sign-in page of a browser that no CLI has sent.
pub(super) fn home(
    app: &App,
    status: StatusCode,
    cookie: &BrowserCookie,
    home: &Home<'_>,
    choices: Vec<Choice>,
) -> Response {
    let purpose = Purpose::Page(SIGN_IN, home.return_to);
    let values = context! {
        username => home.username, problem => home.problem, return_to => home.return_to,
        choices => Serde(&choices),
    };
    own_form("home.html", app, status, cookie, purpose, values)
}

/// The same of one who is.
pub(super) fn signed_in(
    app: &App,
    cookie: &BrowserCookie,
    session: &Secret,
    username: &str,
) -> Response {
    let purpose = Purpose::Page(SIGN_OUT, session.expose());
    let values = context! { username => username };
    own_form(
        "signed-in.html",
        app,
        StatusCode::OK,
        cookie,
        purpose,
        values,
    )
}

/// A form that comes back to this host and leads nowhere else.
pub(super) fn own_form(
    template: &str,
    app: &App,
    status: StatusCode,
    cookie: &BrowserCookie,
    purpose: Purpose<'_>,
    values: minijinja::Value,
) -> Response {
    let values = context! {
        style => STYLE,
        host => app.installation.public_url.host_str(),
        csrf => cookie.form_token(app, purpose, &Params::default()),
        ..values
    };
    let mut response = html(template, values, status, "'self'");
    if let Some(value) = cookie.header(app) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// Goes on to another page by itself, as if from this one.
pub(super) fn go_on(address: &str) -> Response {
    let values = context! { style => STYLE, address => address, title => "You are signed in" };
    html("go-on.html", values, StatusCode::OK, "'none'")
}

/// Says that nobody is signed in any more, and goes on to the provider that ends its own session.
pub(super) fn signed_out(elsewhere: Option<&Url>) -> Response {
    let title = "You are signed out";
    match elsewhere {
        Some(url) => {
            let values = context! { style => STYLE, address => url.as_str(), title => title };
            html("go-on.html", values, StatusCode::OK, "'none'")
        }
        None => notice(title, "This browser is signed out."),
    }
}

/// Says that a provider has passed its test.
pub(super) fn tested(provider: &str, linked: bool) -> Response {
    let tie = if linked {
        "You can sign in this way as yourself from now on."
    } else {
        "You are not tied to it: for that, open such a link in a browser that is signed in as you."
    };
    let text = format!("{provider} works: it has said who you are. {tie}");
    notice("The test has passed", &text)
}

/// A page with a sentence.
pub(super) fn notice(title: &str, text: &str) -> Response {
    let values = context! { style => STYLE, title => title, text => text };
    html("notice.html", values, StatusCode::OK, "'none'")
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
