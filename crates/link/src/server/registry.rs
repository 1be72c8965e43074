//! The live connections: how many of whom, until when, and how to close each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::RunnerId;
use parking_lot::Mutex;

use super::Shared;
use super::kill::Kill;
use super::peer::{ConnectionId, Peer};
use crate::Transport;
use crate::ca::PeerIdentity;
use crate::close::CloseCode;

#[derive(Default)]
pub(super) struct Registry(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    last_id: u64,
    live: HashMap<ConnectionId, Live>,
    per_runner: HashMap<RunnerId, usize>,
    unidentified: usize,
}

struct Live {
    peer: Arc<Peer>,
    kill: Kill,
    since: Instant,
    /// When the connection must end, and what it is told.
    end: Option<(Instant, CloseCode)>,
}

/// How many connections there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) quic: usize,
    pub(super) tcp: usize,
    pub(super) unidentified: usize,
}

impl Registry {
    pub(super) fn next_id(&self) -> ConnectionId {
        let mut inner = self.0.lock();
        inner.last_id += 1;
        ConnectionId(inner.last_id)
    }

    /// How many connections this identity (or nobody) holds.
    pub(super) fn held_by(&self, identity: Option<&PeerIdentity>) -> usize {
        let inner = self.0.lock();
        match identity {
            Some(identity) => inner
                .per_runner
                .get(&identity.runner_id)
                .copied()
                .unwrap_or(0),
            None => inner.unidentified,
        }
    }

    pub(super) fn insert(&self, peer: Arc<Peer>, kill: Kill, end: Option<(Instant, CloseCode)>) {
        let mut inner = self.0.lock();
        match peer.runner_id() {
            Some(runner) => *inner.per_runner.entry(runner.clone()).or_default() += 1,
            None => inner.unidentified += 1,
        }
        let live = Live {
            kill,
            since: Instant::now(),
            end,
            peer: Arc::clone(&peer),
        };
        inner.live.insert(peer.connection_id, live);
    }

    fn remove(&self, id: ConnectionId) {
        let mut inner = self.0.lock();
        let Some(live) = inner.live.remove(&id) else {
            return;
        };
        let Some(runner) = live.peer.runner_id() else {
            inner.unidentified = inner.unidentified.saturating_sub(1);
            return;
        };
        if let Some(held) = inner.per_runner.get_mut(runner) {
            *held -= 1;
            if *held == 0 {
                inner.per_runner.remove(runner);
            }
        }
    }

    pub(super) fn count(&self) -> Count {
        let inner = self.0.lock();
        let quic = inner
            .live
            .values()
            .filter(|live| live.peer.transport == Transport::Quic)
            .count();
        Count {
            quic,
            tcp: inner.live.len() - quic,
            unidentified: inner.unidentified,
        }
    }

    /// Closes every connection that `matches`, outside the lock; says how many.
    pub(super) fn close_where(&self, code: CloseCode, matches: impl Fn(&Peer) -> bool) -> usize {
        let kills: Vec<Kill> = {
            let inner = self.0.lock();
            inner
                .live
                .values()
                .filter(|l| matches(&l.peer))
                .map(|l| l.kill.clone())
                .collect()
        };
        for kill in &kills {
            kill.close(code);
        }
        kills.len()
    }

    /// Ways to close every connection there is now, in no particular order.
    pub(super) fn kills(&self) -> Vec<Kill> {
        self.0
            .lock()
            .live
            .values()
            .map(|live| live.kill.clone())
            .collect()
    }

    /// Closes what has come to its end or never made a call.
    pub(super) fn sweep(&self, now: Instant, first_call: Duration) {
        let ended: Vec<(Kill, CloseCode)> = {
            let inner = self.0.lock();
            inner
                .live
                .values()
                .filter_map(|live| Some((live.kill.clone(), live.due(now, first_call)?)))
                .collect()
        };
        for (kill, code) in ended {
            kill.close(code);
        }
    }
}

impl Live {
    fn due(&self, now: Instant, first_call: Duration) -> Option<CloseCode> {
        if let Some((end, code)) = self.end
            && now >= end
        {
            return Some(code);
        }
        let silent = !self.peer.has_called() && now.duration_since(self.since) >= first_call;
        silent.then_some(CloseCode::Silent)
    }
}

/// Takes the connection out of the registry when it ends, however it ends.
pub(super) struct LiveGuard {
    shared: Arc<Shared>,
    id: ConnectionId,
}

impl LiveGuard {
    pub(super) fn new(shared: Arc<Shared>, id: ConnectionId) -> Self {
        Self { shared, id }
    }
}

impl Drop for LiveGuard {
    fn drop(&mut self) {
        self.shared.registry.remove(self.id);
    }
}
