//! Which account's door a browser stands at: `ACCOUNT.host` is that account's, the installation's own
//! host the default account's.
//!
//! What a request says of its host chooses among our own addresses and is never repeated: every
//! address that is given out is built from the configuration.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::Response;
use domain::ids::AccountId;
use http::request::Parts;
use http::{StatusCode, header};
use url::Host;

use super::{page, store};
use crate::app::App;
use crate::http::error::chain;

/// The door.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// The account that the host names.
    pub account: Option<AccountId>,
    /// Scheme, host and port, without a slash at the end.
    pub base: String,
}

/// The part of a host before the installation's own: one word, or nothing of ours.
fn account_name<'a>(public: &str, host: &'a str) -> Option<&'a str> {
    let name = host.strip_suffix(public)?.strip_suffix('.')?;
    (!name.is_empty() && !name.contains('.')).then_some(name)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Where the people of an account named so sign in.
fn base(app: &App, account: Option<&str>) -> String {
    let mut url = app.installation.public_url.clone();
    let public = url.host_str().unwrap_or_default().to_owned();
    if let (Some(name), Some(Host::Domain(_))) = (account, url.host()) {
        // A name that no host can have leaves the installation's own.
        let _ = url.set_host(Some(&format!("{name}.{public}")));
    }
    url.as_str().trim_end_matches('/').to_owned()
}

/// Where the people of an account sign in.
///
/// # Errors
/// The database's own.
pub(in crate::iam) async fn site_of_account(
    app: &App,
    account: &AccountId,
) -> Result<String, db::Error> {
    let mut conn = app.db.acquire().await?;
    let name = store::name_of_account(&mut conn, account).await?;
    Ok(base(app, name.as_deref()))
}

impl Site {
    async fn of(app: &App, host: &str) -> Result<Option<Self>, db::Error> {
        let host = without_port(host).to_lowercase();
        let public = app.installation.public_url.host_str().unwrap_or_default();
        let Some(name) = account_name(public, &host) else {
            return Ok(Some(Self {
                account: None,
                base: base(app, None),
            }));
        };
        let mut conn = app.db.acquire().await?;
        let found = store::account_named(&mut conn, name).await?;
        Ok(found.map(|account| Self {
            account: Some(account),
            base: base(app, Some(name)),
        }))
    }

    /// The account whose sign-in page this is.
    ///
    /// # Errors
    /// The database's own.
    pub(super) async fn account(
        &self,
        conn: &mut db::Conn,
    ) -> Result<Option<AccountId>, db::Error> {
        match &self.account {
            Some(account) => Ok(Some(account.clone())),
            None => store::default_account(conn).await,
        }
    }

    /// Whether somebody may come to `account` through this door. The installation's own host is
    /// everybody's: not every installation has a name in the DNS for each account.
    pub(super) fn leads_to(&self, account: &AccountId) -> bool {
        self.account.as_ref().is_none_or(|own| own == account)
    }
}

impl FromRequestParts<Arc<App>> for Site {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let header = parts.headers.get(header::HOST);
        let host = parts
            .uri
            .host()
            .or_else(|| header.and_then(|it| it.to_str().ok()))
            .unwrap_or_default()
            .to_owned();
        match Self::of(app, &host).await {
            Ok(Some(site)) => Ok(site),
            Ok(None) => Err(page::refused(
                StatusCode::NOT_FOUND,
                "there is no account of this name",
            )),
            Err(error) => {
                tracing::error!(error = chain(&error), "an account can't be looked up");
                Err(page::refused(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the server failed; try again shortly",
                ))
            }
        }
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn one_word_before_our_host_is_an_account() {
        let of = |host| account_name("terrane.test", host);
        assert_eq!(of("acme.terrane.test"), Some("acme"));
        for other in [
            "terrane.test",
            ".terrane.test",
            "a.b.terrane.test",
            "acmeterrane.test",
            "terrane.test.evil.test",
            "evil.test",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_port_is_no_part_of_the_name() {
        assert_eq!(without_port("acme.terrane.test:8443"), "acme.terrane.test");
        assert_eq!(without_port("acme.terrane.test"), "acme.terrane.test");
    }
}
