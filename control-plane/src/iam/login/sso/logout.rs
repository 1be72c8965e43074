//! Ending the provider's own session with ours (single logout, begun here).

use domain::Secret;
use url::Url;

use super::finish::token_place;
use crate::app::App;
use crate::context::Tenant;
use crate::http::error::chain;
use crate::iam::IamError;
use crate::iam::identity::{self, Settings};
use crate::iam::login::oidc;
use crate::iam::login::site::Site;
use crate::iam::login::store::Foreign;

/// Where the browser goes on when its session is over. A provider that can't be asked keeps nobody
/// from signing out here.
///
/// # Errors
/// The database's own, or the vault's.
pub(in crate::iam::login) async fn logout_address(
    app: &App,
    site: &Site,
    foreign: Foreign,
) -> Result<Option<Url>, IamError> {
    let mut conn = app.db.acquire().await?;
    let Some(provider) = identity::speak_to(&mut conn, &foreign.provider_id).await? else {
        return Ok(None);
    };
    let tenant = Tenant::of_row(&foreign.account_id);
    let token: Option<Secret> = match &foreign.sealed_id_token {
        Some(sealed) => Some(
            app.keys
                .open_text(&mut conn, &tenant, &token_place(&foreign.id), sealed)
                .await?,
        ),
        None => None,
    };
    drop(conn);
    let hint = token.as_ref().map(|it| it.expose().as_str());
    let address = match &provider.settings {
        Settings::Oidc(settings) => {
            oidc::logout_url(app, &provider, settings, &site.base, hint).await
        }
    };
    Ok(address.unwrap_or_else(|error| {
        tracing::warn!(
            error = chain(&error),
            "a provider can't be told of a logout"
        );
        None
    }))
}
