//! Why there is no connection.

use crate::Transport;
use crate::close::{CloseCode, CloseReason};

/// A try to connect that failed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The gateway answered and said no. Another transport or another try won't help.
    #[error("the gateway refused this runner over {transport}: {refusal}")]
    Refused {
        transport: Transport,
        refusal: Refusal,
    },
    /// No way led to the gateway. Try again later.
    #[error("the gateway {gateway} can't be reached ({})", .failures.join("; "))]
    Unreachable {
        gateway: String,
        /// One sentence for each transport that was tried.
        failures: Vec<String>,
    },
    /// The connection that this was asked of has ended.
    #[error("the connection has ended: {0}")]
    Ended(String),
    /// The gateway gave no stream in time; try again when a job or a transfer has ended.
    #[error("all streams to the gateway are in use")]
    Busy,
    /// The configuration can't be used.
    #[error("{0}")]
    Configuration(String),
}

/// What the gateway said no with.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The answer to Hello.
    #[error("{}", .0.message())]
    Answer(Box<tonic::Status>),
    /// The close code of the connection, or the TLS alert.
    #[error("{0}")]
    Closed(CloseReason),
}

impl ConnectError {
    /// Whether the gateway says that this runner may not come any more.
    pub fn is_revocation(&self) -> bool {
        let Self::Refused { refusal, .. } = self else {
            return false;
        };
        match refusal {
            Refusal::Answer(status) => status.code() == tonic::Code::PermissionDenied,
            Refusal::Closed(reason) => *reason == CloseReason::Gateway(CloseCode::Revoked),
        }
    }

    /// Whether trying again with the same identity is pointless.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Configuration(_) => true,
            Self::Unreachable { .. } | Self::Ended(_) | Self::Busy => false,
        }
    }
}
