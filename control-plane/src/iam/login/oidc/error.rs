//! Why a provider's answer is not believed. The texts are for the person in front of the page and
//! for whoever sets the provider up: they hold nothing of what the provider has sent.

use crate::outbound::OutboundError;

#[derive(Debug, thiserror::Error)]
pub(in crate::iam) enum OidcError {
    #[error("the provider's {what} can't be had: {reason}")]
    Unreachable {
        what: &'static str,
        reason: OutboundError,
    },
    #[error("the provider's {what} can't be read")]
    Unreadable { what: &'static str },
    #[error("the provider names itself otherwise than it is set up here")]
    Issuer,
    #[error("the provider's discovery document names an address that is not used: {0}")]
    Address(&'static str),
    #[error("the provider has refused: {0}")]
    Refused(String),
    #[error("the answer is not of the provider that was asked")]
    MixUp,
    #[error("the ID token is not believed: {0}")]
    Token(&'static str),
}
