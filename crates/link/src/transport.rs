//! The two ways to the gateway.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// HTTP/2 inside QUIC streams.
    Quic,
    /// HTTP/2 over TLS over TCP.
    Tcp,
}

impl Transport {
    /// The word for logs, metrics and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
