//! Waits for the end of the process and brings it about in order.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::status::Board;
use super::tasks::{Ended, Tasks};
use super::{Signal, Stop, TaskMetrics};
use crate::clock::Clock;

/// How long an orderly stop may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From the first signal until tasks are cut off.
    pub soft: Duration,
    /// From there until the process ends whatever is left.
    pub hard: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            soft: Duration::from_secs(25),
            hard: Duration::from_secs(5),
        }
    }
}

/// How the process came to its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Servers that ended unasked or with an error, each with the reason.
    pub died: Vec<(&'static str, String)>,
    /// The patience ran out, or a second signal came, before all tasks had ended by themselves.
    pub cut_off: bool,
    /// Tasks that did not end even when cut off.
    pub left: Vec<&'static str>,
}

impl Ending {
    /// 0 after an orderly stop, 1 if a task died unasked or had to be torn away.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.died.is_empty() || !self.left.is_empty())
    }

    fn note(&mut self, ended: Ended, asked: bool) {
        let reason = match ended.error {
            Some(error) => error,
            None if asked => return,
            None => "ended without being asked to".to_owned(),
        };
        tracing::error!(task = ended.name, error = reason, "a server died");
        self.died.push((ended.name, reason));
    }
}

/// Owns every task of the process.
pub struct Supervisor {
    tasks: Tasks,
    ended: mpsc::UnboundedReceiver<Ended>,
    deadlines: Deadlines,
}

impl Supervisor {
    pub fn new(deadlines: Deadlines, clock: Clock, metrics: TaskMetrics) -> Self {
        let (sender, ended) = mpsc::unbounded_channel();
        let tasks = Tasks {
            stop: Stop::new(),
            tracker: TaskTracker::new(),
            board: Board::new(clock, metrics),
            ended: sender,
        };
        Self {
            tasks,
            ended,
            deadlines,
        }
    }

    /// The handle that starts tasks.
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Waits until a signal comes, a server dies or [`Stop::ask`] is called, then drains.
    pub async fn run(mut self, mut signals: mpsc::Receiver<Signal>) -> Ending {
        let stop = self.tasks.stop.clone();
        let mut ending = Ending::default();
        tokio::select! {
            biased;
            () = stop.asked() => {}
            Some(ended) = self.ended.recv() => ending.note(ended, false),
            signal = next(&mut signals) => tracing::info!(?signal, "stopping"),
        }
        self.drain(&stop, &mut signals, &mut ending).await;
        while let Ok(ended) = self.ended.try_recv() {
            ending.note(ended, true);
        }
        ending
    }

    async fn drain(&self, stop: &Stop, signals: &mut mpsc::Receiver<Signal>, ending: &mut Ending) {
        let tracker = &self.tasks.tracker;
        stop.ask();
        tracker.close();
        tokio::select! {
            () = tracker.wait() => return,
            () = sleep(self.deadlines.soft) => {}
            signal = next(signals) => tracing::warn!(?signal, "stopping at once"),
        }
        tracing::warn!(tasks = ?self.tasks.board.alive(), "cutting off what still runs");
        ending.cut_off = true;
        stop.cut_off();
        tokio::select! {
            () = tracker.wait() => {}
            () = sleep(self.deadlines.hard) => {
                ending.left = self.tasks.board.alive();
                tracing::error!(tasks = ?ending.left, "these tasks don't let go");
                self.tasks.board.abort_all();
            }
        }
    }
}

/// The next signal; waits for ever when nobody can send one.
async fn next(signals: &mut mpsc::Receiver<Signal>) -> Signal {
    match signals.recv().await {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}
