//! From verdicts to what they mean together: the strictest one counts.

use domain::policy::PolicyCheckStatus;
use policy::Effect;

use super::model::PolicyResult;
use crate::runs::machine::Judgement;

/// How many policies a message names before it counts the rest.
const NAMED: usize = 5;

/// What a check ends with, and what the run machine is told.
pub(super) fn judge(results: &[PolicyResult]) -> (PolicyCheckStatus, Judgement) {
    let effect = |result: &PolicyResult| result.verdict.effect(result.overridable);
    match results.iter().map(effect).max().unwrap_or(Effect::Pass) {
        Effect::Pass | Effect::Warn => (PolicyCheckStatus::Passed, Judgement::Passed),
        Effect::AwaitOverride => (PolicyCheckStatus::SoftFailed, Judgement::SoftFailed),
        Effect::Block => {
            let blocking = results
                .iter()
                .filter(|result| effect(result) == Effect::Block);
            let error = refusal(&blocking.collect::<Vec<_>>());
            (
                PolicyCheckStatus::HardFailed,
                Judgement::HardFailed { error },
            )
        }
    }
}

fn refusal(blocking: &[&PolicyResult]) -> String {
    let names: Vec<String> = blocking
        .iter()
        .take(NAMED)
        .map(|it| format!("{}/{}", it.group_name, it.verdict.policy))
        .collect();
    let rest = blocking.len().saturating_sub(NAMED);
    let more = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    format!(
        "stopped by policy: {}{more}; change the configuration or the policy, and start a new run",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use domain::ids::PolicyResultId;
    use policy::{Enforcement, Outcome, Verdict};

    use super::*;

    fn result(level: Enforcement, outcome: Outcome, overridable: bool) -> PolicyResult {
        let mut verdict = Verdict::errored("tags", level, "broken");
        verdict.outcome = outcome;
        PolicyResult {
            id: PolicyResultId::random(),
            group_id: "pgrp-1".to_owned(),
            group_name: "base".to_owned(),
            revision_id: "prev-1".to_owned(),
            overridable,
            verdict,
        }
    }

    #[test]
    fn the_strictest_verdict_counts() {
        let status = |results: &[PolicyResult]| judge(results).0;
        let advisory = result(Enforcement::Advisory, Outcome::Failed, false);
        let soft = result(Enforcement::SoftMandatory, Outcome::Failed, false);
        let hard = result(Enforcement::HardMandatory, Outcome::Errored, false);
        let set = result(Enforcement::Mandatory, Outcome::Failed, true);
        assert_eq!(status(&[]), PolicyCheckStatus::Passed);
        assert_eq!(
            status(std::slice::from_ref(&advisory)),
            PolicyCheckStatus::Passed
        );
        assert_eq!(
            status(&[advisory, soft.clone()]),
            PolicyCheckStatus::SoftFailed
        );
        assert_eq!(status(&[set]), PolicyCheckStatus::SoftFailed);
        let (status, judgement) = judge(&[soft, hard]);
        assert_eq!(status, PolicyCheckStatus::HardFailed);
        let Judgement::HardFailed { error } = judgement else {
            panic!("{judgement:?}")
        };
        assert!(error.contains("base/tags"), "{error}");
    }
}
