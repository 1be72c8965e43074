//! What `terrane-supervisor --probe` finds out about a machine, as JSON on its stdout.

use serde::{Deserialize, Serialize};

/// Which layers of the sandbox work here. Each was really put on in a child that then tried to get
/// past it: a kernel that has the system call but not the effect is not taken for one that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub uid_drop: Layer,
    pub landlock: Layer,
    /// Landlock's scopes: a command can't signal processes outside its sandbox (kernel 6.12).
    pub landlock_scopes: Layer,
    pub seccomp: Layer,
    pub rlimits: Layer,
    /// The program that [`crate::Bubblewrap`] describes, with namespaces of its own.
    pub bubblewrap: Layer,
    pub cgroup: CgroupVersion,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    pub works: bool,
    /// For people: what went wrong.
    pub why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CgroupVersion {
    None,
    V1,
    V2,
}
