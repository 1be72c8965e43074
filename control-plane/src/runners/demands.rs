//! What a pool demands of its runners, and whether a runner has it.
//!
//! Decided here before a job is offered, and once more by the runner before it starts a step: a
//! runner that was made weaker since it said hello must not execute the job.

use std::str::FromStr;

use serde_json::Value;

/// How well a runner shuts its jobs in. Later is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum SandboxLevel {
    #[default]
    None,
    Basic,
    Strong,
}

impl SandboxLevel {
    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Strong => "strong",
        }
    }
}

impl FromStr for SandboxLevel {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::None, Self::Basic, Self::Strong]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or(())
    }
}

/// What a runner of the pool must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demands {
    pub minimum_sandbox: SandboxLevel,
    pub refuse_reachable_metadata: bool,
}

/// What a runner says it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offered {
    pub sandbox: SandboxLevel,
    pub metadata_blocked: bool,
    /// Whether it knows jobs that fetch for something other than a run.
    pub fetches_of_no_run: bool,
}

impl Demands {
    /// As stored. A level that can't be read demands the strongest: the safe side.
    pub fn of_row(minimum_sandbox: &str, refuse_reachable_metadata: bool) -> Self {
        Self {
            minimum_sandbox: minimum_sandbox.parse().unwrap_or(SandboxLevel::Strong),
            refuse_reachable_metadata,
        }
    }

    /// Whether a runner may execute jobs of the pool.
    pub fn met_by(self, offered: Offered) -> bool {
        offered.sandbox >= self.minimum_sandbox
            && (offered.metadata_blocked || !self.refuse_reachable_metadata)
    }
}

impl Offered {
    /// As a runner said it; what can't be read counts as absent.
    pub fn new(sandbox_level: &str, metadata_blocked: bool) -> Self {
        Self {
            sandbox: sandbox_level.parse().unwrap_or_default(),
            metadata_blocked,
            fetches_of_no_run: false,
        }
    }

    /// From the capabilities as they are stored.
    pub fn of_capabilities(capabilities: &Value) -> Self {
        let features = capabilities["features"].as_array();
        let knows = |name: &str| features.is_some_and(|it| it.iter().any(|known| known == name));
        Self {
            fetches_of_no_run: knows(protocol::features::FETCH_OF_NO_RUN),
            ..Self::new(
                capabilities["sandbox_level"].as_str().unwrap_or_default(),
                capabilities["metadata_address_blocked"] == true,
            )
        }
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_demand_is_met_by_the_same_or_more() {
        let demands = Demands::of_row("basic", true);
        assert!(demands.met_by(Offered::new("strong", true)));
        assert!(demands.met_by(Offered::new("basic", true)));
        assert!(!demands.met_by(Offered::new("strong", false)));
        assert!(!demands.met_by(Offered::new("none", true)));
        assert!(!demands.met_by(Offered::default()));
        assert!(Demands::default().met_by(Offered::default()));
    }

    #[test]
    fn what_cannot_be_read_is_on_the_safe_side() {
        assert!(!Demands::of_row("stronger", false).met_by(Offered::new("basic", true)));
        assert_eq!(Offered::new("very", false).sandbox, SandboxLevel::None);
    }
}
