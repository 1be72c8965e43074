//! Ends a connection from outside. quinn has `Connection::close`; a TCP connection is in tonic's
//! hands, which gives none, so its pipe carries a switch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use futures::task::AtomicWaker;
use quinn::VarInt;

use crate::close::CloseCode;

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

/// Off for good once killed. One task polls a pipe, so one waker is enough.
#[derive(Default)]
pub(super) struct KillSwitch {
    off: AtomicBool,
    waker: AtomicWaker,
}

impl KillSwitch {
    pub(super) fn kill(&self) {
        self.off.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Registers for a wake-up, then looks: a kill between the two is seen.
    pub(super) fn is_off(&self, context: &Context<'_>) -> bool {
        self.waker.register(context.waker());
        self.off.load(Ordering::SeqCst)
    }
}
