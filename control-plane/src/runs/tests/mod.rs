//! The queue across accounts, saved plans that go stale, and what is refused at the door.

mod approvals;
mod refused;
mod stale;
mod turns;
