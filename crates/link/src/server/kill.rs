//! Ends a connection from outside, whatever carries it.

use std::sync::Arc;

use quinn::VarInt;

use crate::close::CloseCode;
use crate::switch::KillSwitch;

/// How a live connection is closed.
#[derive(Clone)]
pub(super) enum Kill {
    Quic(quinn::Connection),
    Tcp(Arc<KillSwitch>),
}

impl Kill {
    pub(super) fn close(&self, code: CloseCode) {
        match self {
            Self::Quic(connection) => {
                connection.close(VarInt::from_u32(code.code()), code.sentence().as_bytes());
            }
            Self::Tcp(switch) => switch.kill(),
        }
    }
}
