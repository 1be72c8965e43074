//! What goes over the worker's pipes: one line of JSON and then the input on stdin; lines of JSON on
//! stdout. Both ends are the same program, so the form has no versions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Limits;
use crate::builtins::Circumstances;
use crate::group::GroupSource;
use crate::rego::dialect::Dialect;
use crate::suite::TestUnit;

/// The first line on stdin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) task: Task,
    pub(super) around: Circumstances,
    pub(super) limits: Limits,
    /// Bytes of input that follow the line; of several inputs, of the largest.
    pub(super) input: usize,
    /// Items that brought a worker down, with what is to be said of them.
    #[serde(default)]
    pub(super) deadly: BTreeMap<String, String>,
    /// Items whose results are known already.
    #[serde(default)]
    pub(super) done: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Task {
    /// Compile a group and say what is wrong.
    Check { source: GroupSource },
    /// Evaluate the policies of a group that are enabled, or those of them that are named.
    Evaluate {
        source: GroupSource,
        #[serde(default)]
        only: Option<BTreeSet<String>>,
    },
    /// Evaluate policies of a group on several inputs, one after the other.
    Judge {
        source: GroupSource,
        cases: Vec<Case>,
    },
    /// Run the tests of units.
    Test {
        units: Vec<TestUnit>,
        dialect: Dialect,
    },
}

/// One of several inputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) policies: BTreeSet<String>,
    pub(super) around: Circumstances,
    /// Bytes of it.
    pub(super) input: usize,
}

/// A line on stdout.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// What follows belongs to this item, and so does the end of the process.
    Begin(String),
    /// The result of an item.
    Result { item: String, value: Value },
    /// Everything has been said.
    End,
}

/// The item that stands for what is done before any other.
pub(super) const START: &str = "start";
