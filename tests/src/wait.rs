//! Waiting for a condition, never for a time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How long anything may take on the noisiest machine. No test asserts that it is fast.
pub const PATIENCE: Duration = Duration::from_secs(180);
const PERIOD: Duration = Duration::from_millis(100);

/// Asks until there is an answer.
///
/// # Panics
/// With `what`, when there is none for [`PATIENCE`].
pub async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(PERIOD).await;
    }
}

/// Asks until the answer is one that is wanted; shows the last one when it never is.
///
/// # Panics
/// With `what` and the last answer.
pub async fn until_it<T: Debug, F>(
    what: &str,
    mut ask: impl FnMut() -> F,
    wanted: impl Fn(&T) -> bool,
) -> T
where
    F: Future<Output = T>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if wanted(&answer) {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "waited in vain until {what}; at last it was {answer:?}"
        );
        tokio::time::sleep(PERIOD).await;
    }
}

/// Asks, blocking, until the condition holds.
///
/// # Panics
/// With `what`.
pub fn blocking(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(PERIOD);
    }
}
