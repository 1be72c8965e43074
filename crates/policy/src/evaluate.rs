//! One policy on one input, in this process.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use crate::builtins::Circumstances;
use crate::denials;
use crate::group::Policy;
use crate::input::Input;
use crate::manifest::GroupKind;
use crate::rego::{fault, path};
use crate::verdict::{Outcome, Verdict};

/// How often the engine looks at the clock, in steps of the evaluation.
const CHECK_EVERY: u32 = 2000;

impl Policy {
    /// Asks the policy about an input.
    ///
    /// The time limit is the engine's own and doesn't see into one long builtin, nor does anything
    /// here bound memory or recursion: with policies of others, ask a [`crate::worker`].
    #[must_use]
    pub fn evaluate(&self, input: &Input, around: Circumstances, limit: Duration) -> Verdict {
        self.timed(input, around, limit).0
    }

    /// The same, and whether the verdict is an error because the time was up: on another day, on
    /// another machine, it might be another one.
    pub(crate) fn timed(
        &self,
        input: &Input,
        around: Circumstances,
        limit: Duration,
    ) -> (Verdict, bool) {
        let errored = |why: String| (Verdict::errored(&self.name, self.enforcement, why), false);
        if let Some(problem) = self.problems.iter().find(|problem| problem.is_error()) {
            return errored(problem.to_string());
        }
        let (mut engine, refused) = match self.bundle.engine(around) {
            Ok(made) => made,
            Err(problem) => return errored(problem.to_string()),
        };
        limit_time(&mut engine, limit);
        let data = Value::from(serde_json::Value::from(self.data.clone()));
        if let Err(error) = engine.add_data(data) {
            return errored(format!("the data can't be used: {error}"));
        }
        engine.set_input(match self.kind {
            GroupKind::Files => input.value.clone(),
            GroupKind::Queries => input.for_queries(),
        });
        let begun = Instant::now();
        let answer = engine.eval_rule(path::data(&self.rule));
        // The engine forgets that it was out of time inside a function which has another definition
        // with a value; an answer that came too late is none.
        if begun.elapsed() >= limit {
            let verdict = errored(format!(
                "it was stopped by the time limit of {} s; look at fewer combinations: \
                 filter before you join",
                limit.as_secs()
            ));
            return (verdict.0, true);
        }
        if let Some(name) = refused.first() {
            return errored(format!("`{name}` can't be called from a policy"));
        }
        let value = match answer {
            Ok(value) => value,
            Err(error) => return errored(fault::problem("", &error).to_string()),
        };
        match denials::read(&value, || input.addresses()) {
            None => errored(format!(
                "{} is neither a set nor an array of messages; write `deny contains message if {{ … }}`",
                self.query
            )),
            Some(denials) => {
                let verdict = Verdict {
                    policy: self.name.clone(),
                    enforcement_level: self.enforcement,
                    outcome: if denials.kept.is_empty() {
                        Outcome::Passed
                    } else {
                        Outcome::Failed
                    },
                    messages: denials.kept,
                    omitted: denials.omitted,
                    error: None,
                };
                (verdict, false)
            }
        }
    }
}

/// Lets the engine stop by itself.
pub(crate) fn limit_time(engine: &mut Engine, limit: Duration) {
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit,
        check_interval: NonZeroU32::new(CHECK_EVERY).unwrap_or(NonZeroU32::MIN),
    });
}
