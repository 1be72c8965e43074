//! Who acts: kinds of actors, roles and tokens.

use crate::text_enum::text_enum;

text_enum! {
    /// What kind of subject did something.
    pub enum ActorKind {
        User = "user",
        /// A run, through its own token.
        Run = "run",
        Runner = "runner",
        /// The control plane itself: a timer, a queue, a repair.
        System = "system",
    }
}

text_enum! {
    /// What a member of an account may do. More roles, and roles of one's own, build on the same
    /// permissions.
    pub enum Role {
        /// Everything inside the account.
        Admin = "admin",
        /// Looks at everything but secrets, changes nothing.
        Reader = "reader",
    }
}

text_enum! {
    pub enum TokenKind {
        User = "user",
        /// Given to a job, bound to its run, phase and epoch.
        Run = "run",
    }
}
