//! Reading and writing the cookies of the sign-in pages.

use http::{HeaderMap, HeaderValue, header};

use crate::app::App;

/// Which requests that begin at other sites bring a cookie along.
#[derive(Debug, Clone, Copy)]
pub(super) enum SameSite {
    Strict,
    /// Following a link, and being sent back by an identity provider.
    Lax,
}

impl SameSite {
    fn word(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
        }
    }
}

fn is_secure(app: &App) -> bool {
    app.installation.public_url.scheme() == "https"
}

/// The `__Host-` prefix keeps other hosts of the domain from setting it; browsers allow it on HTTPS
/// only.
fn full_name(app: &App, name: &str) -> String {
    let prefix = if is_secure(app) { "__Host-" } else { "" };
    format!("{prefix}terrane-{name}")
}

/// The value that the browser sent, if it fits.
pub(super) fn read(
    app: &App,
    headers: &HeaderMap,
    name: &str,
    fits: impl Fn(&str) -> bool,
) -> Option<String> {
    let name = full_name(app, name);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && fits(value))
        .map(|(_, value)| value.to_owned())
}

/// The header that gives the browser a value for so many seconds; 0 takes it away.
pub(super) fn write(
    app: &App,
    name: &str,
    value: &str,
    seconds: i64,
    same_site: SameSite,
) -> Option<HeaderValue> {
    let secure = if is_secure(app) { "; Secure" } else { "" };
    HeaderValue::from_str(&format!(
        "{}={value}; Path=/; HttpOnly; SameSite={}; Max-Age={seconds}{secure}",
        full_name(app, name),
        same_site.word(),
    ))
    .ok()
}
