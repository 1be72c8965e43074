//! Who acts: kinds of actors, tokens, and where grants hold.

use crate::text_enum::text_enum;

text_enum! {
    /// What kind of subject did something.
    pub enum ActorKind {
        User = "user",
        /// A program with grants of its own.
        ServiceAccount = "service-account",
        /// A team, through its token: what the team's grants allow, by nobody in particular.
        Team = "team",
        /// An environment, through its token: automation that sets it up.
        Environment = "environment",
        /// A run, through its own token.
        Run = "run",
        Runner = "runner",
        /// The control plane itself: a timer, a queue, a repair.
        System = "system",
    }
}

text_enum! {
    /// What a member of an account has been granted in the whole account, in one word. It is read
    /// off their grants, and a shorthand for them when a member is added.
    pub enum Role {
        /// The role `admin` at account scope.
        Admin = "admin",
        /// The role `read-only` at account scope.
        Reader = "reader",
        /// Neither: what they may do follows from other grants.
        Member = "member",
    }
}

text_enum! {
    /// Where a grant holds: there and in everything below.
    pub enum Scope {
        Account = "account",
        Environment = "environment",
        Project = "project",
        Workspace = "workspace",
    }
}

text_enum! {
    pub enum TokenKind {
        User = "user",
        ServiceAccount = "service-account",
        Team = "team",
        Environment = "environment",
        /// Given to a job, bound to its run, phase and epoch.
        Run = "run",
    }
}
