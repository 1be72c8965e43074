//! What changed for one policy and one run. Pure.

use domain::policy::Change;
use policy::{Effect, Enforcement, Outcome, Verdict};

/// The result of a policy that one of the revisions doesn't have.
pub(super) const ABSENT: &str = "absent";

/// One side of a field: what would be said, and what that would do to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) result: &'static str,
    pub(super) effect: Effect,
}

impl Standing {
    /// A policy that isn't there stops nothing.
    pub(super) const ABSENT: Self = Self {
        result: ABSENT,
        effect: Effect::Pass,
    };

    pub(super) fn of(level: Enforcement, outcome: Outcome, overridable: bool) -> Self {
        let mut verdict = Verdict::errored("", level, "");
        verdict.outcome = outcome;
        Self {
            result: verdict.result(),
            effect: verdict.effect(overridable),
        }
    }
}

/// What counts is what it does to the run. A policy that came or went and stops nothing changes
/// nothing.
pub(super) fn change(before: Standing, after: Standing) -> Change {
    let harmless = before.effect == Effect::Pass && after.effect == Effect::Pass;
    match after.effect.cmp(&before.effect) {
        std::cmp::Ordering::Greater => Change::NewlyFailing,
        std::cmp::Ordering::Less => Change::NewlyPassing,
        std::cmp::Ordering::Equal if before.result == after.result || harmless => Change::Unchanged,
        std::cmp::Ordering::Equal => Change::Changed,
    }
}

/// Where a change stands in the matrix: new failures first, what is as before last.
pub(super) fn position(change: Change) -> i64 {
    match change {
        Change::NewlyFailing => 0,
        Change::NewlyPassing => 1,
        Change::Changed => 2,
        Change::Unchanged => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(level: Enforcement, outcome: Outcome) -> Standing {
        Standing::of(level, outcome, false)
    }

    #[test]
    fn what_counts_is_what_it_does_to_the_run() {
        use Enforcement::{Advisory, HardMandatory, SoftMandatory};
        use Outcome::{Errored, Failed, Passed};
        let passed = at(HardMandatory, Passed);
        let failed = at(HardMandatory, Failed);
        assert_eq!(change(passed, failed), Change::NewlyFailing);
        assert_eq!(change(failed, passed), Change::NewlyPassing);
        assert_eq!(change(failed, failed), Change::Unchanged);
        let errored = at(HardMandatory, Errored);
        assert_eq!(change(failed, errored), Change::Changed);
        assert_eq!(change(passed, errored), Change::NewlyFailing);
        // A stricter level alone.
        assert_eq!(change(at(Advisory, Failed), failed), Change::NewlyFailing);
        assert_eq!(
            change(failed, at(SoftMandatory, Failed)),
            Change::NewlyPassing
        );
    }

    #[test]
    fn a_policy_that_came_or_went_counts_when_it_stops_something() {
        let passed = at(Enforcement::HardMandatory, Outcome::Passed);
        let failed = at(Enforcement::HardMandatory, Outcome::Failed);
        assert_eq!(change(Standing::ABSENT, passed), Change::Unchanged);
        assert_eq!(change(passed, Standing::ABSENT), Change::Unchanged);
        assert_eq!(change(Standing::ABSENT, failed), Change::NewlyFailing);
        assert_eq!(change(failed, Standing::ABSENT), Change::NewlyPassing);
    }
}
