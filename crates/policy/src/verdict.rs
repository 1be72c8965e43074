//! What a policy says about a run.

use serde::{Deserialize, Serialize};

use crate::manifest::Enforcement;

/// One policy's word on one input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The policy's name.
    pub policy: String,
    pub enforcement_level: Enforcement,
    pub outcome: Outcome,
    /// The denials, sorted by text.
    pub messages: Vec<Denial>,
    /// How many denials there are besides those in `messages`: very many are cut.
    #[serde(default)]
    pub omitted: u64,
    /// Why there is no answer, when the outcome is [`Outcome::Errored`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// One denial.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Denial {
    pub message: String,
    /// Addresses of resources of the plan that the message names.
    pub resources: Vec<String>,
}

/// Whether the policy objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No objection.
    Passed,
    /// At least one denial.
    Failed,
    /// No answer could be had. It never counts as passed.
    Errored,
}

/// What a verdict does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The run goes on.
    Pass,
    /// The run goes on, and the verdict is shown.
    Warn,
    /// The run waits for an override.
    AwaitOverride,
    /// The run ends here.
    Block,
}

impl Verdict {
    /// A verdict that couldn't be had.
    #[must_use]
    pub fn errored(
        policy: impl Into<String>,
        enforcement_level: Enforcement,
        error: impl Into<String>,
    ) -> Self {
        Self {
            policy: policy.into(),
            enforcement_level,
            outcome: Outcome::Errored,
            messages: Vec::new(),
            omitted: 0,
            error: Some(error.into()),
        }
    }

    /// What it does to the run. `overridable` is the setting of a policy set, for its `mandatory`.
    #[must_use]
    pub fn effect(&self, overridable: bool) -> Effect {
        match (self.outcome, self.enforcement_level) {
            (Outcome::Passed, _) => Effect::Pass,
            (_, Enforcement::Advisory) => Effect::Warn,
            (_, Enforcement::SoftMandatory) => Effect::AwaitOverride,
            (_, Enforcement::Mandatory) if overridable => Effect::AwaitOverride,
            (_, Enforcement::Mandatory | Enforcement::HardMandatory) => Effect::Block,
        }
    }

    /// The word for it in results: `passed`, `advisory_failed`, `soft_failed`, `hard_failed` or
    /// `errored`.
    #[must_use]
    pub fn result(&self) -> &'static str {
        match (self.outcome, self.enforcement_level) {
            (Outcome::Passed, _) => "passed",
            (Outcome::Errored, _) => "errored",
            (Outcome::Failed, Enforcement::Advisory) => "advisory_failed",
            (Outcome::Failed, Enforcement::SoftMandatory) => "soft_failed",
            (Outcome::Failed, Enforcement::Mandatory | Enforcement::HardMandatory) => "hard_failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_is_never_a_pass() {
        let errored = |level| Verdict::errored("p", level, "broken").effect(true);
        assert_eq!(errored(Enforcement::HardMandatory), Effect::Block);
        assert_eq!(errored(Enforcement::SoftMandatory), Effect::AwaitOverride);
        assert_eq!(errored(Enforcement::Mandatory), Effect::AwaitOverride);
        assert_eq!(errored(Enforcement::Advisory), Effect::Warn);
        let strict = Verdict::errored("p", Enforcement::Mandatory, "broken");
        assert_eq!(strict.effect(false), Effect::Block);
    }
}
