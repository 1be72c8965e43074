//! The queue across accounts, and saved plans that go stale.

mod stale;
mod turns;
