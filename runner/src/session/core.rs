//! What to do next, given what was heard: a state machine without I/O.
//!
//! Jobs go on whatever happens to the connection; nothing here ever ends one because the gateway
//! is silent. A new connection is made before an old one is given up (certificate renewed, gateway
//! asks to drain), so that no lease is missed in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use link::backoff::Backoff;
use protocol::v1::{RunningJob, job_directive};

/// Time on the process's own monotonic clock.
pub type Moment = Duration;

/// Which connection; never 0, never used twice.
pub type ConnectionId = u64;

/// What the control plane wants done with a job.
pub type Wanted = job_directive::Kind;

/// Heartbeats unless the gateway says otherwise.
const HEARTBEAT: Duration = Duration::from_secs(8);

/// Heartbeats without an answer after which a connection is taken for dead.
const UNANSWERED: u64 = 4;

/// What has happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Hello was answered.
    Connected {
        id: ConnectionId,
        heartbeat: Option<Duration>,
        window: Option<Duration>,
    },
    /// No connection came of it. `fatal`: the gateway won't have this runner.
    ConnectFailed {
        id: ConnectionId,
        fatal: bool,
    },
    ConnectionLost {
        id: ConnectionId,
    },
    Offered {
        job: String,
        epoch: u64,
    },
    /// The lease is ours and its job has been started, or not.
    Taken {
        job: String,
        epoch: u64,
        ok: bool,
    },
    HeartbeatAnswered {
        sequence: u64,
    },
    Directive {
        job: String,
        epoch: u64,
        wanted: Wanted,
    },
    /// The gateway wants this connection ended.
    Drain {
        after: Duration,
    },
    /// There is a new certificate.
    IdentityRenewed,
    /// The runner is revoked; its certificate is good for delivering what its jobs left, no more.
    Revoked,
    /// A job's task has ended and its directory is gone.
    JobEnded {
        job: String,
    },
    /// Take no more work; end once nothing runs.
    DrainWanted,
    /// End now, leave running steps to their supervisors.
    StopWanted,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Connect and say Hello.
    Connect {
        id: ConnectionId,
    },
    /// From now on, calls go over this connection.
    Use {
        id: ConnectionId,
    },
    Close {
        id: ConnectionId,
    },
    /// Open the lease stream on this connection with so many free slots.
    Lease {
        id: ConnectionId,
        free: u32,
    },
    /// Acknowledge the offer, then start the job.
    Take {
        job: String,
        epoch: u64,
    },
    Heartbeat {
        sequence: u64,
        running: Vec<RunningJob>,
        free: u32,
    },
    /// Pass on what the control plane wants.
    Direct {
        job: String,
        wanted: Wanted,
    },
    /// All is over. `refused`: the gateway won't have this runner.
    Exit {
        refused: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Down { retry_at: Moment },
    Connecting { id: ConnectionId },
    Up { id: ConnectionId, since: Moment },
}

/// The state machine.
#[derive(Debug)]
pub struct Core {
    capacity: u32,
    line: Line,
    /// A connection being made while another is still up.
    successor: Option<ConnectionId>,
    /// When to begin making it.
    successor_at: Option<Moment>,
    last_id: ConnectionId,
    jobs: BTreeMap<String, u64>,
    taking: BTreeSet<String>,
    heartbeat: Duration,
    next_heartbeat: Moment,
    sequence: u64,
    answered: u64,
    announced_slots: u32,
    window: Option<Duration>,
    backoff: Backoff,
    draining: bool,
    /// Only to deliver: no leases, and the end once nothing is left.
    revoked: bool,
    ended: bool,
}

impl Core {
    /// `jobs` are those found on disk, with their epochs.
    pub fn new(capacity: u32, jobs: BTreeMap<String, u64>) -> Self {
        Self {
            capacity,
            line: Line::Down {
                retry_at: Moment::ZERO,
            },
            successor: None,
            successor_at: None,
            last_id: 0,
            jobs,
            taking: BTreeSet::new(),
            heartbeat: HEARTBEAT,
            next_heartbeat: Moment::ZERO,
            sequence: 0,
            answered: 0,
            announced_slots: 0,
            window: None,
            backoff: Backoff::default(),
            draining: false,
            revoked: false,
            ended: false,
        }
    }

    /// Every job this runner answers for.
    pub fn running(&self) -> Vec<RunningJob> {
        self.jobs
            .iter()
            .map(|(job, epoch)| RunningJob {
                job_id: job.clone(),
                epoch: *epoch,
            })
            .collect()
    }

    /// Jobs that could be taken on top of those running.
    pub fn free(&self) -> u32 {
        if self.draining {
            return 0;
        }
        let busy = self.jobs.len() + self.taking.len();
        self.capacity
            .saturating_sub(u32::try_from(busy).unwrap_or(u32::MAX))
    }

    pub fn is_connected(&self) -> bool {
        matches!(self.line, Line::Up { .. })
    }

    /// When [`Self::tick`] has something to do, at the latest.
    pub fn deadline(&self) -> Option<Moment> {
        if self.ended {
            return None;
        }
        let line = match self.line {
            Line::Down { retry_at } => Some(retry_at),
            Line::Connecting { .. } => None,
            Line::Up { .. } => Some(self.next_heartbeat),
        };
        [line, self.successor_at].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.ended {
            return commands;
        }
        if self.successor_at.is_some_and(|at| at <= now) {
            self.successor_at = None;
            self.connect_successor(&mut commands);
        }
        match self.line {
            Line::Down { retry_at } if retry_at <= now => {
                let id = self.new_id();
                self.line = Line::Connecting { id };
                commands.push(Command::Connect { id });
            }
            Line::Up { id, .. } if self.sequence >= self.answered + UNANSWERED => {
                commands.push(Command::Close { id });
                self.answered = self.sequence;
            }
            Line::Up { .. } if self.next_heartbeat <= now => {
                self.sequence += 1;
                self.next_heartbeat = now + self.heartbeat;
                commands.push(Command::Heartbeat {
                    sequence: self.sequence,
                    running: self.running(),
                    free: self.free(),
                });
            }
            Line::Down { .. } | Line::Connecting { .. } | Line::Up { .. } => {}
        }
        commands
    }

    /// Something has happened. `random` in 0..1 spreads reconnects.
    pub fn handle(&mut self, now: Moment, event: Event, random: f64) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.ended {
            return commands;
        }
        match event {
            Event::Connected {
                id,
                heartbeat,
                window,
            } => {
                self.heartbeat = heartbeat.filter(|it| !it.is_zero()).unwrap_or(HEARTBEAT);
                self.window = window.filter(|it| !it.is_zero());
                self.connected(now, id, &mut commands);
            }
            Event::ConnectFailed { id, fatal } => {
                if fatal && !self.is_connected() {
                    self.end(true, &mut commands);
                } else {
                    self.lost(now, id, random);
                }
            }
            Event::ConnectionLost { id } => self.lost(now, id, random),
            Event::Offered { job, epoch } => self.offered(job, epoch, &mut commands),
            Event::Taken { job, epoch, ok } => {
                self.taking.remove(&job);
                if ok {
                    self.jobs.insert(job, epoch);
                }
                if self.draining && self.jobs.is_empty() && self.taking.is_empty() {
                    self.end(self.revoked, &mut commands);
                } else {
                    self.announce_slots(now);
                }
            }
            Event::HeartbeatAnswered { sequence } => self.answered = self.answered.max(sequence),
            Event::Directive { job, epoch, wanted } => {
                if self
                    .jobs
                    .get(&job)
                    .is_some_and(|held| *held == epoch || epoch == 0)
                {
                    commands.push(Command::Direct { job, wanted });
                }
            }
            Event::Drain { after } => self.successor_at = Some(now + after),
            Event::IdentityRenewed => self.successor_at = Some(now),
            Event::Revoked => {
                self.revoked = true;
                self.draining = true;
                if self.jobs.is_empty() && self.taking.is_empty() {
                    self.end(true, &mut commands);
                }
            }
            Event::JobEnded { job } => {
                self.jobs.remove(&job);
                if self.draining && self.jobs.is_empty() && self.taking.is_empty() {
                    self.end(self.revoked, &mut commands);
                } else {
                    self.announce_slots(now);
                }
            }
            Event::DrainWanted => {
                self.draining = true;
                if self.jobs.is_empty() && self.taking.is_empty() {
                    self.end(self.revoked, &mut commands);
                } else {
                    self.announce_slots(now);
                }
            }
            Event::StopWanted => self.end(false, &mut commands),
        }
        commands
    }

    fn new_id(&mut self) -> ConnectionId {
        self.last_id += 1;
        self.last_id
    }

    fn connected(&mut self, now: Moment, id: ConnectionId, commands: &mut Vec<Command>) {
        let replaced = match self.line {
            Line::Up { id: old, .. } if old != id => Some(old),
            Line::Up { .. } | Line::Down { .. } | Line::Connecting { .. } => None,
        };
        if self.successor == Some(id) {
            self.successor = None;
        }
        self.line = Line::Up { id, since: now };
        self.next_heartbeat = now + self.heartbeat;
        self.answered = self.sequence;
        self.announced_slots = self.free();
        commands.push(Command::Use { id });
        if !self.revoked {
            commands.push(Command::Lease {
                id,
                free: self.announced_slots,
            });
        }
        commands.extend(replaced.map(|id| Command::Close { id }));
    }

    fn lost(&mut self, now: Moment, id: ConnectionId, random: f64) {
        if self.successor == Some(id) {
            // The old connection still serves; try again to replace it.
            self.successor = None;
            let wait = self.backoff.next(Duration::ZERO, self.window, random);
            self.successor_at = Some(now + wait);
            return;
        }
        let up_for = match self.line {
            Line::Up { id: current, since } if current == id => now.saturating_sub(since),
            Line::Connecting { id: current } if current == id => Duration::ZERO,
            Line::Up { .. } | Line::Connecting { .. } | Line::Down { .. } => return,
        };
        if let Some(successor) = self.successor.take() {
            self.line = Line::Connecting { id: successor };
            return;
        }
        let wanted_at = self.successor_at.take();
        let wait = self.backoff.next(
            up_for,
            self.window.filter(|_| up_for > Duration::ZERO),
            random,
        );
        let retry_at = wanted_at.map_or(now + wait, |at| at.max(now));
        self.line = Line::Down { retry_at };
    }

    fn connect_successor(&mut self, commands: &mut Vec<Command>) {
        if self.is_connected() && self.successor.is_none() {
            let id = self.new_id();
            self.successor = Some(id);
            commands.push(Command::Connect { id });
        }
    }

    fn offered(&mut self, job: String, epoch: u64, commands: &mut Vec<Command>) {
        let known = self.jobs.contains_key(&job) || self.taking.contains(&job);
        if !known && self.free() > 0 {
            self.taking.insert(job.clone());
            commands.push(Command::Take { job, epoch });
        }
    }

    /// A heartbeat says how many slots are free; a change doesn't wait for the next one.
    fn announce_slots(&mut self, now: Moment) {
        let free = self.free();
        if self.is_connected() && self.announced_slots != free {
            self.announced_slots = free;
            self.next_heartbeat = now;
        }
    }

    fn end(&mut self, refused: bool, commands: &mut Vec<Command>) {
        self.ended = true;
        commands.push(Command::Exit { refused });
    }
}

#[cfg(test)]
mod tests;
