//! The life of a reconciler: pass, wait, pass; after a failure, back off.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, sleep, timeout};

use super::status::{Entry, State};
use super::tasks::{BoxError, chain, panic_message};
use super::{Stop, Wake};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Short enough that work resumes soon after an outage of the database ends.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A pass that worked this long before it failed starts the back-off anew.
const LONG_PASS: Duration = Duration::from_secs(60);

/// How long to pause after `failures` in a row.
fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(8);
    FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE)
}

/// Runs passes until the stop is asked for; a pass under way is then finished, or dropped when
/// there is no time left.
pub(super) async fn run<F, Fut>(
    name: &'static str,
    period: Duration,
    wake: Wake,
    stop: Stop,
    entry: Arc<Entry>,
    mut pass: F,
) where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), BoxError>>,
{
    let mut failures = 0;
    while !stop.is_asked() {
        entry.state(State::Running);
        let began = Instant::now();
        let result = tokio::select! {
            result = one_pass(&mut pass) => result,
            () = stop.out_of_time() => return,
        };
        match result {
            Ok(()) => {
                failures = 0;
                entry.succeeded();
                tokio::select! {
                    // The period has passed, or somebody woke us: both mean one more pass.
                    _ = timeout(period, wake.woken()) => {}
                    () = stop.asked() => {}
                }
            }
            Err(error) => {
                let in_a_row = entry.failed(error.clone());
                failures = if began.elapsed() >= LONG_PASS {
                    1
                } else {
                    failures + 1
                };
                let pause = pause_after(failures);
                tracing::warn!(
                    task = name,
                    error,
                    failures = in_a_row,
                    retry_in_seconds = pause.as_secs(),
                    "a pass failed"
                );
                tokio::select! {
                    () = sleep(pause) => {}
                    () = stop.asked() => {}
                }
            }
        }
    }
}

/// One pass; a panic is a failure like any other.
async fn one_pass<F, Fut>(pass: &mut F) -> Result<(), String>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), BoxError>>,
{
    match AssertUnwindSafe(async { pass().await })
        .catch_unwind()
        .await
    {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(chain(error.as_ref())),
        Err(panic) => Err(panic_message(panic.as_ref())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let seconds: Vec<u64> = (1..8).map(|n| pause_after(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 15, 15, 15]);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }
}
