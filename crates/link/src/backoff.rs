//! When a runner tries again: full jitter over a window that doubles from 2 s to 60 s, or over the
//! window that the gateway asked for. Pure: time and randomness are parameters.

use std::time::Duration;

/// The first window.
pub const BASE: Duration = Duration::from_secs(2);
/// The largest window.
pub const CAP: Duration = Duration::from_secs(60);
/// A connection that lived shorter than this does not count as a success.
pub const PROVEN: Duration = Duration::from_secs(30);

/// Counts failures since the last connection that held.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait before the next try.
    ///
    /// `up_for` is how long the connection lived after its Hello was answered (zero if it never
    /// was), `server_window` the reconnect window of the last Hello or Drain when the gateway went
    /// away on purpose, `random` a number in 0..1.
    pub fn next(
        &mut self,
        up_for: Duration,
        server_window: Option<Duration>,
        random: f64,
    ) -> Duration {
        if up_for >= PROVEN {
            self.failures = 0;
        }
        let window = server_window.unwrap_or_else(|| self.window());
        self.failures = self.failures.saturating_add(1);
        window.mul_f64(random.clamp(0.0, 1.0))
    }

    /// The window of the next try, without a word from the gateway.
    pub fn window(&self) -> Duration {
        let doubled = 2_u32
            .checked_pow(self.failures)
            .and_then(|factor| BASE.checked_mul(factor));
        doubled.map_or(CAP, |window| window.min(CAP))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEVER: Duration = Duration::ZERO;

    #[test]
    fn windows_double_up_to_the_cap() {
        let mut backoff = Backoff::default();
        let windows: Vec<u64> = (0..8)
            .map(|_| backoff.next(NEVER, None, 1.0).as_secs())
            .collect();
        assert_eq!(windows, [2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn only_a_connection_that_held_resets_it() {
        let mut backoff = Backoff::default();
        backoff.next(NEVER, None, 1.0);
        assert_eq!(
            backoff.next(Duration::from_secs(29), None, 1.0).as_secs(),
            4
        );
        assert_eq!(
            backoff.next(Duration::from_secs(30), None, 1.0).as_secs(),
            2
        );
    }

    #[test]
    fn the_gateways_window_wins() {
        let window = Some(Duration::from_secs(10));
        assert_eq!(Backoff::default().next(NEVER, window, 0.5).as_secs(), 5);
    }

    proptest! {
        #[test]
        fn never_above_the_cap(failures in 0_u32..200, random in 0.0..1.0_f64) {
            let mut backoff = Backoff { failures };
            prop_assert!(backoff.next(NEVER, None, random) <= CAP);
        }
    }
}
