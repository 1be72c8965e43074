//! Who owns the tasks of this process, and how it stops.
//!
//! There are three kinds of background work, and no fourth:
//! - a *server* listens. If it ends without being asked to, the process ends.
//! - a *reconciler* makes the world as the rows say. It takes no input: signals only wake it, and a
//!   period repairs what a signal missed. It is restarted with back-off, whatever it dies of.
//! - a *job* is a row in the database, leased to a runner or taken by a reconciler; it needs no task.
//!
//! Nobody else starts a task that outlives its caller: what one server needs per connection lives
//! in a `JoinSet` of that server. Decided against: leader election (each pass is idempotent and
//! conditional) and an actor framework (there are no messages to send).
//!
//! Stopping has two stages, see [`Stop`]: asked to finish, then cut off.

mod metrics;
mod reconciler;
mod signals;
mod status;
mod stop;
mod supervisor;
mod tasks;
mod wake;

#[cfg(test)]
mod tests;

pub use metrics::TaskMetrics;
pub use signals::{Signal, listen as listen_for_signals};
pub use status::{Kind, State, TaskStatus};
pub use stop::Stop;
pub use supervisor::{Deadlines, Ending, Supervisor};
pub use tasks::{BoxError, Tasks};
pub use wake::Wake;
