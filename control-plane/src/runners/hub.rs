//! Who is connected to this process: one lease stream per runner, its free slots, and what is to be
//! told to it.
//!
//! A slot of the queue and a waker per runner, not a channel: an idle channel would hold kilobytes,
//! ten thousand times.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use domain::ids::{AccountId, RunnerId, RunnerPoolId};
use futures::Stream;
use parking_lot::Mutex;
use protocol::v1::LeaseEvent;
use tonic::Status;

use super::demands::{Demands, Offered};
use super::presence::{Presence, PresenceWriter};

/// Events that wait to be sent to one runner at most; more means that it doesn't read.
const MAX_WAITING: usize = 256;

#[derive(Default)]
struct Mailbox {
    events: VecDeque<LeaseEvent>,
    waker: Option<Waker>,
    closed: bool,
}

struct Entry {
    lease: u64,
    pool: RunnerPoolId,
    account: AccountId,
    offered: Offered,
    free: u32,
    /// Whether it stands in its pool's queue of free runners.
    listed: bool,
    mailbox: Arc<Mutex<Mailbox>>,
}

#[derive(Default)]
struct Inner {
    runners: HashMap<RunnerId, Entry>,
    /// What runners said they have, each with the turn of its Hello: it comes before the stream.
    offered: HashMap<RunnerId, (u64, Offered)>,
    /// Runners with free slots, by pool, in the order in which they became free.
    free: HashMap<RunnerPoolId, VecDeque<RunnerId>>,
}

/// The connected runners of this process.
pub struct Hub {
    inner: Mutex<Inner>,
    next: AtomicU64,
    presence: PresenceWriter,
}

impl Hub {
    pub fn new(presence: PresenceWriter) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            next: AtomicU64::new(1),
            presence,
        })
    }

    /// Notes what a runner says it has, before it opens its lease stream.
    pub fn said(&self, runner: &RunnerId, offered: Offered) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let mut inner = self.inner.lock();
        inner.offered.insert(runner.clone(), (turn, offered));
    }

    /// Opens a runner's lease stream; an older one of the same runner ends.
    pub fn open(
        self: &Arc<Self>,
        runner: &RunnerId,
        account: &AccountId,
        pool: &RunnerPoolId,
        free: u32,
    ) -> LeaseStream {
        let lease = self.next.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mutex::new(Mailbox::default()));
        let mut inner = self.inner.lock();
        let offered = inner.offered.get(runner).map(|(_, offered)| *offered);
        let entry = Entry {
            offered: offered.unwrap_or_default(),
            lease,
            pool: pool.clone(),
            account: account.clone(),
            free,
            listed: false,
            mailbox: Arc::clone(&mailbox),
        };
        if let Some(old) = inner.runners.insert(runner.clone(), entry) {
            close(&old.mailbox);
        }
        inner.list_if_free(runner);
        LeaseStream {
            hub: Arc::clone(self),
            runner: runner.clone(),
            lease,
            mailbox,
        }
    }

    /// Notes how many jobs a runner can take now. Whether that gives its pool room it hadn't: a
    /// runner that was free before is no news.
    pub fn set_free(&self, runner: &RunnerId, free: u32) -> bool {
        let mut inner = self.inner.lock();
        let Some(entry) = inner.runners.get_mut(runner) else {
            return false;
        };
        entry.free = free;
        inner.list_if_free(runner)
    }

    /// The pools that have a free runner here.
    pub fn pools_with_room(&self) -> Vec<RunnerPoolId> {
        let inner = self.inner.lock();
        inner
            .free
            .iter()
            .filter(|(_, queue)| !queue.is_empty())
            .map(|(pool, _)| pool.clone())
            .collect()
    }

    /// Takes one slot of the longest-waiting free runner that meets the pool's demands. Those that
    /// don't are passed over until their next heart-beat: demands change.
    pub fn take_slot(&self, pool: &RunnerPoolId, demands: Demands) -> Option<(RunnerId, Offered)> {
        let mut inner = self.inner.lock();
        loop {
            let runner = inner.free.get_mut(pool)?.pop_front()?;
            let Some(entry) = inner.runners.get_mut(&runner) else {
                continue;
            };
            entry.listed = false;
            if entry.free == 0 || entry.pool != *pool || !demands.met_by(entry.offered) {
                continue;
            }
            entry.free -= 1;
            let offered = entry.offered;
            inner.list_if_free(&runner);
            return Some((runner, offered));
        }
    }

    /// Gives back what [`Hub::take_slot`] took.
    pub fn give_back(&self, runner: &RunnerId) {
        let mut inner = self.inner.lock();
        let Some(entry) = inner.runners.get_mut(runner) else {
            return;
        };
        entry.free += 1;
        inner.list_if_free(runner);
    }

    /// Sends an event; whether the runner is connected here.
    pub fn send(&self, runner: &RunnerId, event: LeaseEvent) -> bool {
        let inner = self.inner.lock();
        let Some(entry) = inner.runners.get(runner) else {
            return false;
        };
        let mut mailbox = entry.mailbox.lock();
        if mailbox.closed || mailbox.events.len() >= MAX_WAITING {
            return false;
        }
        mailbox.events.push_back(event);
        if let Some(waker) = mailbox.waker.take() {
            waker.wake();
        }
        true
    }

    /// The connected runners with their accounts.
    pub fn connected(&self) -> Vec<(RunnerId, AccountId)> {
        let inner = self.inner.lock();
        inner
            .runners
            .iter()
            .map(|(id, entry)| (id.clone(), entry.account.clone()))
            .collect()
    }

    pub fn len(&self) -> usize {
        self.inner.lock().runners.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Inner {
    /// Whether the runner came into its pool's queue by this.
    fn list_if_free(&mut self, runner: &RunnerId) -> bool {
        let Some(entry) = self.runners.get_mut(runner) else {
            return false;
        };
        let comes = entry.free > 0 && !entry.listed;
        if comes {
            entry.listed = true;
            self.free
                .entry(entry.pool.clone())
                .or_default()
                .push_back(runner.clone());
        }
        comes
    }
}

fn close(mailbox: &Mutex<Mailbox>) {
    let mut mailbox = mailbox.lock();
    mailbox.closed = true;
    if let Some(waker) = mailbox.waker.take() {
        waker.wake();
    }
}

/// What one runner is told, until it goes.
pub struct LeaseStream {
    hub: Arc<Hub>,
    runner: RunnerId,
    lease: u64,
    mailbox: Arc<Mutex<Mailbox>>,
}

impl Stream for LeaseStream {
    type Item = Result<LeaseEvent, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut mailbox = self.mailbox.lock();
        if let Some(event) = mailbox.events.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        if mailbox.closed {
            return Poll::Ready(None);
        }
        mailbox.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for LeaseStream {
    fn drop(&mut self) {
        let mut inner = self.hub.inner.lock();
        if inner
            .runners
            .get(&self.runner)
            .is_some_and(|entry| entry.lease == self.lease)
        {
            inner.runners.remove(&self.runner);
            // A runner that is about to open its next stream has said hello again since.
            if inner
                .offered
                .get(&self.runner)
                .is_some_and(|(turn, _)| *turn < self.lease)
            {
                inner.offered.remove(&self.runner);
            }
            self.hub.presence.note(Presence::Gone(self.runner.clone()));
        }
    }
}
