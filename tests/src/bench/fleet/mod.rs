//! Simulated runners: real certificates, real connections through `crates/link`, no terraform.
//!
//! They behave as a runner does towards the gateway (lease stream, heart-beats, acknowledgements,
//! when to come back), and are many in one process. The jobs they are given go to the benchmark.

mod count;
mod held;
mod join;
mod member;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use link::Transport;
use link::client::Connector;
use link::join::JoinToken;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use count::Count;
pub(super) use held::Held;
use join::Enroller;
use member::Member;

/// Runners that enrol at a time.
const ENROLLING: usize = 24;
/// Runners that share a UDP socket.
const PER_SOCKET: usize = 250;
/// How long all of them may take to be connected.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(5);

/// All simulated runners of a benchmark; they end with it.
pub(super) struct Fleet {
    enroller: Enroller,
    connector: Option<Connector>,
    shared: Arc<Shared>,
    jobs: mpsc::UnboundedReceiver<Held>,
    members: JoinSet<()>,
}

/// What all members have in common.
struct Shared {
    count: Arc<Count>,
    held: mpsc::UnboundedSender<Held>,
}

impl Fleet {
    /// Nobody yet.
    pub(super) fn new(gateway: &str, join_token: &str, transport: Transport) -> Self {
        let token = JoinToken::parse(join_token).unwrap();
        let (held, jobs) = mpsc::unbounded_channel();
        let count = Arc::default();
        Self {
            enroller: Enroller::new(gateway, token, transport),
            connector: None,
            shared: Arc::new(Shared { count, held }),
            jobs,
            members: JoinSet::new(),
        }
    }

    /// Enrols and connects as many as are missing.
    ///
    /// # Panics
    /// When they can't.
    pub(super) async fn grow_to(&mut self, count: u32) {
        let count = usize::try_from(count).unwrap();
        let missing = self.members.len()..count;
        let enroller = &self.enroller;
        let enrolled = futures::stream::iter(missing.clone().map(|index| enroller.enrol(index)));
        let enrolled: Vec<_> = enrolled.buffered(ENROLLING).collect().await;
        for (index, identity) in missing.zip(enrolled) {
            if index.is_multiple_of(PER_SOCKET) || self.connector.is_none() {
                self.connector = Some(self.enroller.connector(&identity.ca));
            }
            let connector = self.connector.as_ref().unwrap();
            let connector = connector.with_identity(&identity.client).unwrap();
            let member = Member::new(connector, index, Arc::clone(&self.shared));
            self.members.spawn(member.live());
        }
        let came = tokio::time::timeout(PATIENCE, self.until_connected(count)).await;
        let there = self.connected();
        assert!(
            came.is_ok(),
            "only {there} of {count} runners are connected"
        );
    }

    /// How many have an open lease stream.
    pub(super) fn connected(&self) -> usize {
        self.shared.count.connected()
    }

    /// The server has ended: who connects from now on is [`back`](Self::back). Without this, those
    /// who have not noticed yet would count.
    pub(super) fn nobody_is_back(&self) {
        self.shared.count.begin_anew();
    }

    pub(super) fn back(&self) -> usize {
        self.shared.count.back()
    }

    async fn until_connected(&self, count: usize) {
        while self.connected() < count {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The next job that any of them has taken.
    ///
    /// # Panics
    /// When none comes.
    pub(super) async fn job(&mut self) -> Held {
        let job = tokio::time::timeout(PATIENCE, self.jobs.recv()).await;
        job.expect("a job comes").unwrap()
    }
}
