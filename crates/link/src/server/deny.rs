//! Revocation: certificates and runners that may not connect any more.
//!
//! Checked for every new connection; live ones are closed when something is added. Decided against
//! CRLs: they are fixed in a TLS configuration and don't touch live connections.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use domain::ids::RunnerId;

use crate::ca::PeerIdentity;

/// Who is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denied {
    /// Serial numbers of certificates, lower-case hexadecimal (as in [`PeerIdentity::serial`]).
    pub serials: HashSet<String>,
    pub runners: HashSet<RunnerId>,
}

impl Denied {
    /// Whether this identity is refused. A certificate for deliveries is made for a runner that is:
    /// what it may call is for the service to say.
    pub fn contains(&self, identity: &PeerIdentity) -> bool {
        self.serials.contains(&identity.serial)
            || (!identity.delivers_only && self.runners.contains(&identity.runner_id))
    }
}

/// The current list; read on each connection without a lock.
pub(super) struct DenySet(ArcSwap<Denied>);

impl DenySet {
    pub(super) fn new(denied: Denied) -> Self {
        Self(ArcSwap::from_pointee(denied))
    }

    pub(super) fn contains(&self, identity: &PeerIdentity) -> bool {
        self.0.load().contains(identity)
    }

    pub(super) fn replace(&self, denied: Denied) {
        self.0.store(Arc::new(denied));
    }

    pub(super) fn change(&self, change: impl Fn(&mut Denied)) {
        self.0.rcu(|current| {
            let mut changed = Denied::clone(current);
            change(&mut changed);
            changed
        });
    }
}
