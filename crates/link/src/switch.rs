//! Ends a TCP connection from outside: it is in tonic's or hyper's hands, which give no handle, so
//! its pipe looks at a switch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use futures::task::AtomicWaker;

/// Off for good once killed. One task polls a pipe, so one waker is enough.
#[derive(Default)]
pub(crate) struct KillSwitch {
    off: AtomicBool,
    waker: AtomicWaker,
}

impl KillSwitch {
    pub(crate) fn kill(&self) {
        self.off.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Registers for a wake-up, then looks: a kill between the two is seen.
    pub(crate) fn is_off(&self, context: &Context<'_>) -> bool {
        self.waker.register(context.waker());
        self.off.load(Ordering::SeqCst)
    }
}
