//! The one home of the process clock.
//!
//! Times are cut to microseconds: what PostgreSQL can hold. A value would otherwise differ from
//! itself after a round trip on one of the two databases.

use chrono::{DateTime, SubsecRound, Utc};

pub type Timestamp = DateTime<Utc>;

/// Where the time comes from: the machine, or a test that sets it.
#[derive(Clone, Default)]
pub enum Clock {
    #[default]
    System,
    /// A clock that stands still until it is moved.
    Fixed(std::sync::Arc<parking_lot::Mutex<Timestamp>>),
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Utc::now().trunc_subsecs(6),
            Self::Fixed(time) => *time.lock(),
        }
    }
}
