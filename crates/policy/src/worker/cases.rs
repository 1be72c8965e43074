//! Several inputs for one worker.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::builtins::Circumstances;
use crate::verdict::Verdict;

/// One input, and which policies are asked about it.
#[derive(Debug, Clone)]
pub struct Question {
    /// What the answers are told apart by.
    pub name: String,
    pub policies: BTreeSet<String>,
    /// JSON.
    pub input: Vec<u8>,
    pub around: Circumstances,
}

/// One policy's answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The name of the question.
    pub case: String,
    pub verdict: Verdict,
    /// Whether the verdict is an error that comes from a limit of time or memory: asked again, it
    /// may be another one.
    pub limited: bool,
}
