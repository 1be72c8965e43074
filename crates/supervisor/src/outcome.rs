//! What a step's end is called. Pure.

use step::Outcome;

use crate::ladder::{Cause, Ladder};

/// How the commands went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Course {
    /// Why the step ended early on its own account: a command that failed or could not be started.
    pub(crate) failure: Option<String>,
    /// All commands were run and none failed that had to succeed.
    pub(crate) complete: bool,
}

/// The worst that happened, and a sentence about it.
pub(crate) fn outcome(
    ladder: &Ladder,
    course: &Course,
    out_of_memory: bool,
) -> (Outcome, Option<String>) {
    if ladder.killed() {
        return (Outcome::Killed, Some("The step was killed.".to_owned()));
    }
    match ladder.cancelled() {
        _ if course.complete => (Outcome::Succeeded, None),
        Some(cause @ Cause::Request) => (Outcome::Canceled, Some(cause.sentence().to_owned())),
        Some(cause) => (Outcome::Failed, Some(cause.sentence().to_owned())),
        None if out_of_memory => {
            let sentence = "The step ran out of memory and the kernel killed a part of it.";
            (Outcome::Failed, Some(sentence.to_owned()))
        }
        None => (Outcome::Failed, course.failure.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::{Running, Seen};
    use std::time::Duration;

    fn ladder(seen: Seen) -> Ladder {
        let mut ladder = Ladder::new(10, 0);
        let running = Some(Running { writes_state: true });
        ladder.step(Duration::from_secs(1), &Seen { running, ..seen });
        ladder
    }

    #[test]
    fn the_worst_wins() {
        let failed = Course {
            failure: Some("f".into()),
            complete: false,
        };
        let complete = Course {
            failure: None,
            complete: true,
        };
        let asked = Seen {
            cancel_requested: true,
            ..Seen::default()
        };
        let forced = Seen {
            kill_requested: true,
            ..asked
        };
        let full = Seen {
            disk_full: true,
            ..Seen::default()
        };
        let none = Seen::default();
        let of = |seen, course| outcome(&ladder(seen), course, false).0;
        assert_eq!(of(none, &complete), Outcome::Succeeded);
        assert_eq!(of(none, &failed), Outcome::Failed);
        assert_eq!(of(asked, &failed), Outcome::Canceled);
        assert_eq!(of(asked, &complete), Outcome::Succeeded);
        assert_eq!(of(full, &failed), Outcome::Failed);
        assert_eq!(of(forced, &failed), Outcome::Killed);
        assert_eq!(of(forced, &complete), Outcome::Killed);
        let (_, message) = outcome(&ladder(none), &failed, true);
        assert!(message.unwrap().contains("out of memory"));
    }
}
