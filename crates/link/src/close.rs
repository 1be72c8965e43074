//! Why a connection ended: one list of codes for both sides.
//!
//! QUIC carries code and sentence in CONNECTION_CLOSE. TCP has no such thing: there the runner
//! learns the reason from the answer to its next Hello, and [`CloseReason::Lost`] meanwhile.

use std::time::Duration;

/// Application error codes of CONNECTION_CLOSE. Part of the contract with runners in the field:
/// never change the meaning of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The runner goes, or the other transport won the race.
    Goodbye,
    /// The certificate names no runner.
    BadIdentity,
    /// The certificate ran out while connected.
    Expired,
    /// The certificate or its runner is revoked. Don't come back with it.
    Revoked,
    /// No call was made in time.
    Silent,
    /// Too many connections of one runner, or of unidentified peers.
    TooMany,
    /// The gateway restarts. Come back within the reconnect window.
    Restart,
}

impl CloseCode {
    const ALL: [Self; 7] = [
        Self::Goodbye,
        Self::BadIdentity,
        Self::Expired,
        Self::Revoked,
        Self::Silent,
        Self::TooMany,
        Self::Restart,
    ];

    /// The number on the wire.
    pub fn code(self) -> u32 {
        match self {
            Self::Goodbye => 0,
            Self::BadIdentity => 400,
            Self::Expired => 401,
            Self::Revoked => 403,
            Self::Silent => 408,
            Self::TooMany => 429,
            Self::Restart => 503,
        }
    }

    /// The sentence on the wire, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Goodbye => "goodbye",
            Self::BadIdentity => "the certificate names no runner",
            Self::Expired => "the certificate has expired",
            Self::Revoked => "revoked",
            Self::Silent => "no call was made in time",
            Self::TooMany => "too many connections",
            Self::Restart => "the gateway restarts",
        }
    }

    /// The meaning of a number, if it has one.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| u64::from(known.code()) == code)
    }
}

/// Why a live connection ended, as the runner sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// This side closed it.
    #[error("closed by this runner")]
    Local,
    /// The gateway closed it and said why (QUIC only).
    #[error("closed by the gateway: {}", .0.sentence())]
    Gateway(CloseCode),
    /// The gateway closed it with a code that this version does not know.
    #[error("closed by the gateway with code {code}: {reason}")]
    Unknown { code: u64, reason: String },
    /// Nothing was heard for the idle timeout: the path is dead, or the gateway is.
    #[error("nothing was heard from the gateway for {} seconds", .0.as_secs())]
    Idle(Duration),
    /// The gateway does not know this connection: it has been restarted without a goodbye.
    #[error("the gateway has been restarted")]
    Reset,
    /// The TLS layer of the gateway refused the certificate, with this alert.
    #[error("the gateway refused the certificate: {0}")]
    Certificate(String),
    /// The connection broke; over TCP this is all that can be known.
    #[error("the connection was lost: {0}")]
    Lost(String),
}

impl CloseReason {
    /// Whether coming back with the same certificate is pointless.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Gateway(code) => match code {
                CloseCode::BadIdentity | CloseCode::Expired | CloseCode::Revoked => true,
                CloseCode::Goodbye
                | CloseCode::Silent
                | CloseCode::TooMany
                | CloseCode::Restart => false,
            },
            Self::Certificate(_) => true,
            Self::Local | Self::Unknown { .. } | Self::Idle(_) | Self::Reset | Self::Lost(_) => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_what_runners_in_the_field_know() {
        let known = CloseCode::ALL.map(|code| (code.code(), code.sentence()));
        assert_eq!(
            known.map(|(code, _)| code),
            [0, 400, 401, 403, 408, 429, 503]
        );
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::from_code(code.code().into()), Some(code));
        }
        assert_eq!(CloseCode::from_code(404), None);
    }
}
