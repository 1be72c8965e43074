//! How strongly a step is shut in: what the machine can do, what the operator chose, what a job
//! demands.

use std::path::PathBuf;
use std::str::FromStr;

use step::Sandbox;

/// How strong a sandbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SandboxLevel {
    /// The step runs as the runner does.
    None,
    /// A user of its own and limits, where the runner may do that; Landlock or seccomp.
    Basic,
    /// Namespaces, Landlock and seccomp.
    Strong,
}

impl SandboxLevel {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Strong => "strong",
        }
    }
}

/// What the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxChoice {
    /// The strongest that this machine allows.
    Auto,
    Exactly(SandboxLevel),
}

impl FromStr for SandboxLevel {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" | "" => Ok(Self::None),
            "basic" => Ok(Self::Basic),
            "strong" => Ok(Self::Strong),
            other => Err(format!(
                "{other:?} is no sandbox level: none, basic or strong"
            )),
        }
    }
}

impl FromStr for SandboxChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            Ok(Self::Auto)
        } else {
            text.parse().map(Self::Exactly)
        }
    }
}

/// What surrounds a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// For the supervisor.
    pub sandbox: Sandbox,
    /// The user and group that the step directory is given to, where the supervisor runs as them.
    pub owner: Option<(u32, u32)>,
    /// Most memory, processes and CPU the step may use; 0: no limit.
    pub memory_bytes: u64,
    pub processes: u64,
    /// Where the step's commands find programs.
    pub path: String,
    /// Paths as the step sees them, where they differ.
    pub terraform: Option<PathBuf>,
}
