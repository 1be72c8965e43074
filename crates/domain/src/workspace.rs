//! Words of a workspace: its locks, execution modes, variables, configuration versions and states.

use crate::text_enum::text_enum;

text_enum! {
    /// Who holds a workspace's lock.
    pub enum LockKind {
        User = "user",
        Run = "run",
    }
}

text_enum! {
    pub enum ExecutionMode {
        /// Runs are executed by runners.
        Remote = "remote",
        /// Only the state is kept here; the CLI executes.
        Local = "local",
    }
}

text_enum! {
    pub enum Engine {
        Terraform = "terraform",
        Tofu = "tofu",
    }
}

text_enum! {
    /// What a variable is handed to.
    pub enum VariableCategory {
        Terraform = "terraform",
        Environment = "env",
    }
}

text_enum! {
    pub enum ConfigurationStatus {
        Pending = "pending",
        Fetching = "fetching",
        Uploaded = "uploaded",
        Archived = "archived",
        Errored = "errored",
    }
}

text_enum! {
    pub enum StateStatus {
        /// Announced, the bytes not here yet.
        Pending = "pending",
        Finalized = "finalized",
        /// Kept for people to look at, never the current state.
        Quarantined = "quarantined",
        /// The announced bytes never came, or were not what was announced.
        Discarded = "discarded",
    }
}
