//! Signing in: by password, or through an identity provider; and `terraform login`, which is OAuth 2
//! authorization code with PKCE behind the same page.
//!
//! The page asks for name and password and says what is being approved; a browser that has signed in
//! lately is asked for consent only. The CLI gets an ordinary API token of the user. Flow and
//! parameters: TFE contract, section 1.4; RFC 6749 and RFC 7636.
//!
//! Decided against the password grant (the CLI would see the password), and against consent without
//! a click (whatever opens a browser could get a token).

mod api;
mod cookies;
mod csrf;
mod error;
mod home;
mod link_pages;
mod oidc;
mod page;
mod request;
mod return_to;
mod service;
mod session;
mod site;
mod sso;
mod store;
#[cfg(test)]
mod tests;
mod throttle;

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderValue, header};
use utoipa_axum::router::OpenApiRouter;

pub use oidc::SignInCache;
pub(in crate::iam) use site::site_of_account;

use crate::app::App;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    api::routes()
        .merge(home::routes())
        .merge(sso::routes())
        .merge(link_pages::routes())
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
