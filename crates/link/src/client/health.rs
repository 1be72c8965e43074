//! How QUIC has fared lately. A path that drops UDP after a while (a policer, a NAT with a short
//! memory) lets QUIC win every race and lose every connection; then TCP is better. Pure.

use std::time::{Duration, Instant};

/// Two losses within this are no accident.
const CLOSE_TOGETHER: Duration = Duration::from_secs(10 * 60);
/// How long TCP is preferred then.
const AVOIDANCE: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Default)]
pub(super) struct QuicHealth {
    last_loss: Option<Instant>,
    avoid_until: Option<Instant>,
}

impl QuicHealth {
    /// A QUIC connection ended by idle timeout.
    pub(super) fn lost(&mut self, now: Instant) {
        let again = self
            .last_loss
            .is_some_and(|last| now.duration_since(last) < CLOSE_TOGETHER);
        if again {
            self.avoid_until = Some(now + AVOIDANCE);
        }
        self.last_loss = Some(now);
    }

    pub(super) fn is_avoided(&self, now: Instant) -> bool {
        self.avoid_until.is_some_and(|until| now < until)
    }

    /// After a loss twice as often: the path may forget us sooner than we thought.
    pub(super) fn keepalive(&self, usual: Duration) -> Duration {
        if self.last_loss.is_some() {
            usual / 2
        } else {
            usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn two_losses_close_together_mean_tcp_for_an_hour() {
        let start = Instant::now();
        let mut health = QuicHealth::default();
        health.lost(start);
        assert!(!health.is_avoided(start));
        health.lost(start + 9 * MINUTE);
        assert!(health.is_avoided(start + 68 * MINUTE));
        assert!(!health.is_avoided(start + 69 * MINUTE));
    }

    #[test]
    fn losses_far_apart_mean_nothing() {
        let start = Instant::now();
        let mut health = QuicHealth::default();
        health.lost(start);
        health.lost(start + 11 * MINUTE);
        assert!(!health.is_avoided(start + 11 * MINUTE));
    }

    #[test]
    fn a_loss_halves_the_keepalive_once() {
        let mut health = QuicHealth::default();
        assert_eq!(health.keepalive(20 * MINUTE), 20 * MINUTE);
        health.lost(Instant::now());
        health.lost(Instant::now());
        assert_eq!(health.keepalive(20 * MINUTE), 10 * MINUTE);
    }
}
