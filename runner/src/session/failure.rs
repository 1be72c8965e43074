//! A connection that did not come about: whether it is worth another try, and whether another
//! certificate helps.

use std::path::Path;

use link::client::{ConnectError, Connector};

use crate::identity::{self, Identity};

/// What a failed connection means.
pub(super) struct Failure {
    /// The identity to go on with: of a runner whose certificate had run out, or of a revoked one
    /// that may deliver what its applies left.
    pub recovered: Option<Identity>,
    /// The gateway won't have this runner.
    pub fatal: bool,
}

/// Finds out what it means, and asks for another certificate where that may help.
pub(super) async fn of(
    error: &ConnectError,
    connector: &Connector,
    identity: &Identity,
    data: &Path,
) -> Failure {
    tracing::warn!(%error, "no connection to the gateway");
    let outdated = identity.is_expired(crate::clock::unix_seconds());
    let revoked = error.is_revocation() && !identity.delivers_only();
    if !error.is_final() || !(outdated || revoked) {
        return Failure {
            recovered: None,
            fatal: error.is_final(),
        };
    }
    let recovered = match Box::pin(identity::recover(connector, identity)).await {
        Ok(recovered) => recovered,
        Err(error) => {
            tracing::error!(%error, "the certificate could not be exchanged");
            return Failure {
                recovered: None,
                fatal: !error.is_passing(),
            };
        }
    };
    if recovered.delivers_only() {
        tracing::warn!(
            "this runner has been revoked; it stops its jobs, delivers their states, and ends"
        );
    } else {
        tracing::info!("the certificate was exchanged for a new one");
    }
    if let Err(error) = recovered.save(data) {
        tracing::error!(%error, "the recovered certificate could not be kept");
    }
    Failure {
        recovered: Some(recovered),
        fatal: false,
    }
}
