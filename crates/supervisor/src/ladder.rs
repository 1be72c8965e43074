//! The cancel ladder: when to interrupt, when to kill. Pure; the clock is a parameter.
//!
//! There is one SIGINT in a step's life, never a second: terraform takes two for an order to drop
//! what it has in flight, and loses it. What writes state is killed only when a person asks.

use std::time::Duration;

/// Why a step is being cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Request,
    Timeout,
    Memory,
    Disk,
}

impl Cause {
    /// For people.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Request => "The step was cancelled.",
            Self::Timeout => "The step was cancelled because it took longer than its time limit.",
            Self::Memory => {
                "The step was cancelled because it used more than 80 % of its memory limit."
            }
            Self::Disk => "The step was cancelled because the runner's disk is full.",
        }
    }
}

/// What is seen from one look to the next.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) cancel_requested: bool,
    pub(crate) kill_requested: bool,
    pub(crate) memory_high: bool,
    pub(crate) disk_full: bool,
    /// The command that runs, if any.
    pub(crate) running: Option<Running>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) writes_state: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    /// Send SIGINT to the command's process, and to it alone.
    Interrupt,
    /// Freeze, check, kill.
    Kill,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Ladder {
    timeout: Option<Duration>,
    kill_after: Option<Duration>,
    cancelled: Option<(Duration, Cause)>,
    interrupted: bool,
    killed: bool,
}

impl Ladder {
    /// 0 seconds mean never.
    pub(crate) fn new(timeout_seconds: u64, kill_after_seconds: u64) -> Self {
        let or_never = |seconds| (seconds > 0).then(|| Duration::from_secs(seconds));
        Self {
            timeout: or_never(timeout_seconds),
            kill_after: or_never(kill_after_seconds),
            cancelled: None,
            interrupted: false,
            killed: false,
        }
    }

    /// Decides what to do, `now` being the time since the step began.
    pub(crate) fn step(&mut self, now: Duration, seen: &Seen) -> Action {
        if self.cancelled.is_none() {
            self.cancelled = self.cause(now, seen).map(|cause| (now, cause));
        }
        let Some((since, _)) = self.cancelled else {
            return Action::Nothing;
        };
        let Some(running) = seen.running else {
            self.killed |= seen.kill_requested;
            return Action::Nothing;
        };
        let overdue = self
            .kill_after
            .is_some_and(|patience| now.saturating_sub(since) >= patience);
        if !self.killed && (seen.kill_requested || (overdue && !running.writes_state)) {
            self.killed = true;
            return Action::Kill;
        }
        if !self.interrupted && !self.killed {
            self.interrupted = true;
            return Action::Interrupt;
        }
        Action::Nothing
    }

    /// Why no further command is started, if so.
    pub(crate) fn cancelled(&self) -> Option<Cause> {
        self.cancelled.map(|(_, cause)| cause)
    }

    pub(crate) fn killed(&self) -> bool {
        self.killed
    }

    fn cause(&self, now: Duration, seen: &Seen) -> Option<Cause> {
        let causes = [
            (seen.cancel_requested || seen.kill_requested, Cause::Request),
            (
                self.timeout.is_some_and(|timeout| now >= timeout),
                Cause::Timeout,
            ),
            (seen.memory_high, Cause::Memory),
            (seen.disk_full, Cause::Disk),
        ];
        causes
            .into_iter()
            .find_map(|(holds, cause)| holds.then_some(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const APPLY: Option<Running> = Some(Running { writes_state: true });
    const PLAN: Option<Running> = Some(Running {
        writes_state: false,
    });

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seen(running: Option<Running>) -> Seen {
        Seen {
            running,
            ..Seen::default()
        }
    }

    #[test]
    fn one_request_is_one_interrupt() {
        let mut ladder = Ladder::new(0, 0);
        assert_eq!(ladder.step(at(1), &seen(APPLY)), Action::Nothing);
        let asked = Seen {
            cancel_requested: true,
            ..seen(APPLY)
        };
        assert_eq!(ladder.step(at(2), &asked), Action::Interrupt);
        assert_eq!(ladder.step(at(3), &asked), Action::Nothing);
        assert_eq!(ladder.cancelled(), Some(Cause::Request));
        let forced = Seen {
            kill_requested: true,
            ..asked
        };
        assert_eq!(ladder.step(at(4), &forced), Action::Kill);
        assert_eq!(ladder.step(at(5), &forced), Action::Nothing);
        assert!(ladder.killed());
    }

    #[test]
    fn the_time_limit_interrupts_but_never_kills_what_writes_state() {
        let mut ladder = Ladder::new(10, 5);
        assert_eq!(ladder.step(at(9), &seen(APPLY)), Action::Nothing);
        assert_eq!(ladder.step(at(10), &seen(APPLY)), Action::Interrupt);
        assert_eq!(ladder.step(at(99), &seen(APPLY)), Action::Nothing);
        assert_eq!(ladder.cancelled(), Some(Cause::Timeout));
        assert!(!ladder.killed());
    }

    #[test]
    fn a_plan_that_does_not_end_is_killed() {
        let mut ladder = Ladder::new(10, 5);
        assert_eq!(ladder.step(at(10), &seen(PLAN)), Action::Interrupt);
        assert_eq!(ladder.step(at(14), &seen(PLAN)), Action::Nothing);
        assert_eq!(ladder.step(at(15), &seen(PLAN)), Action::Kill);
    }

    #[test]
    fn between_two_commands_nothing_is_signalled() {
        let mut ladder = Ladder::new(0, 0);
        let asked = Seen {
            cancel_requested: true,
            ..seen(None)
        };
        assert_eq!(ladder.step(at(1), &asked), Action::Nothing);
        assert_eq!(ladder.cancelled(), Some(Cause::Request));
    }

    proptest! {
        #[test]
        fn never_two_interrupts_never_an_unasked_kill_of_an_apply(
            looks in proptest::collection::vec(any::<(u8, bool, bool, bool, bool, u8)>(), 0..60),
        ) {
            let mut ladder = Ladder::new(100, 20);
            let mut now = Duration::ZERO;
            let mut actions = vec![];
            for (pause, cancel, kill, memory, disk, running) in looks {
                now += at(u64::from(pause % 16));
                let look = Seen {
                    cancel_requested: cancel && pause % 7 == 0,
                    kill_requested: kill && pause % 11 == 0,
                    memory_high: memory && pause % 5 == 0,
                    disk_full: disk && pause % 13 == 0,
                    running: [None, APPLY, PLAN][usize::from(running % 3)],
                };
                let action = ladder.step(now, &look);
                prop_assert!(action != Action::Kill || look.kill_requested || look.running == PLAN);
                prop_assert!(action == Action::Nothing || look.running.is_some());
                prop_assert!(action != Action::Interrupt || !actions.contains(&Action::Kill));
                actions.push(action);
            }
            let count = |wanted| actions.iter().filter(|action| **action == wanted).count();
            prop_assert!(count(Action::Interrupt) <= 1);
            prop_assert!(count(Action::Kill) <= 1);
        }
    }
}
