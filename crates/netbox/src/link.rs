//! The impaired link: decides what happens to each packet. Pure: time and chance are parameters.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

/// Smaller packets pay no rate: acknowledgements share a link with data in both directions.
const FREE_BYTES: usize = 200;

/// What is wrong with the link.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// One-way delay.
    #[arg(long, default_value_t = 0)]
    pub(crate) delay_ms: u64,
    /// Share of packets that are lost, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) loss: f64,
    /// Rate in Mbit/s; 0: no limit.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) mbit: f64,
    /// What the narrow link's queue holds before it drops, in KiB.
    #[arg(long, default_value_t = 256)]
    pub(crate) queue_kb: u32,
}

/// What has happened so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) packets: u64,
    /// By chance.
    pub(crate) lost: u64,
    /// By the full queue.
    pub(crate) dropped: u64,
}

/// What happens to one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Drop,
    /// Goes on at this time.
    Deliver(Instant),
}

pub(crate) struct Link {
    pub(crate) settings: Settings,
    pub(crate) counts: Counts,
    /// When the narrow link has sent all that it holds.
    free_at: Option<Instant>,
}

impl Link {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            counts: Counts::default(),
            free_at: None,
        }
    }

    /// A packet of `length` bytes arrives; `chance` is a random number in 0..1.
    pub(crate) fn arrive(&mut self, length: usize, now: Instant, chance: f64) -> Fate {
        self.counts.packets += 1;
        if chance < self.settings.loss {
            self.counts.lost += 1;
            return Fate::Drop;
        }
        let Some(sent) = self.send(length, now) else {
            self.counts.dropped += 1;
            return Fate::Drop;
        };
        Fate::Deliver(sent + Duration::from_millis(self.settings.delay_ms))
    }

    /// When the narrow link has sent the packet; None if its queue is full.
    fn send(&mut self, length: usize, now: Instant) -> Option<Instant> {
        if self.settings.mbit <= 0.0 || length <= FREE_BYTES {
            return Some(now);
        }
        let start = self.free_at.map_or(now, |free_at| free_at.max(now));
        let longest_wait = self.time(f64::from(self.settings.queue_kb) * 1024.0);
        if start.duration_since(now) > longest_wait {
            return None;
        }
        let sent = start + self.time(length as f64);
        self.free_at = Some(sent);
        Some(sent)
    }

    fn time(&self, bytes: f64) -> Duration {
        Duration::from_secs_f64(bytes * 8.0 / (self.settings.mbit * 1e6))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERFECT: Settings = Settings {
        delay_ms: 0,
        loss: 0.0,
        mbit: 0.0,
        queue_kb: 256,
    };

    fn wait(fate: Fate, now: Instant) -> Duration {
        let Fate::Deliver(at) = fate else {
            panic!("dropped")
        };
        at.duration_since(now)
    }

    #[test]
    fn a_delay_is_added_to_each_packet() {
        let now = Instant::now();
        let mut link = Link::new(Settings {
            delay_ms: 10,
            ..PERFECT
        });
        assert_eq!(wait(link.arrive(1500, now, 0.5), now).as_millis(), 10);
        assert_eq!(wait(link.arrive(1500, now, 0.5), now).as_millis(), 10);
    }

    #[test]
    fn a_narrow_link_sends_one_packet_after_the_other() {
        let now = Instant::now();
        // 1250 bytes at 10 Mbit/s take a millisecond.
        let mut link = Link::new(Settings {
            mbit: 10.0,
            ..PERFECT
        });
        assert_eq!(wait(link.arrive(1250, now, 0.5), now).as_millis(), 1);
        assert_eq!(wait(link.arrive(1250, now, 0.5), now).as_millis(), 2);
        assert_eq!(wait(link.arrive(100, now, 0.5), now).as_millis(), 0);
        let later = now + Duration::from_secs(1);
        assert_eq!(wait(link.arrive(1250, later, 0.5), later).as_millis(), 1);
    }

    #[test]
    fn a_full_queue_drops() {
        let now = Instant::now();
        let mut link = Link::new(Settings {
            mbit: 10.0,
            queue_kb: 10,
            ..PERFECT
        });
        let fates: Vec<Fate> = (0..20).map(|_| link.arrive(1024, now, 0.5)).collect();
        let delivered = fates.iter().filter(|fate| **fate != Fate::Drop).count();
        assert_eq!(delivered, 11, "one being sent, ten waiting");
        assert_eq!(
            link.counts,
            Counts {
                packets: 20,
                lost: 0,
                dropped: 9
            }
        );
    }

    #[test]
    fn a_cut_link_loses_everything() {
        let mut link = Link::new(Settings {
            loss: 1.0,
            ..PERFECT
        });
        assert_eq!(link.arrive(1500, Instant::now(), 0.999_999), Fate::Drop);
        assert_eq!(link.counts.lost, 1);
    }

    proptest! {
        #[test]
        fn a_packet_never_goes_before_it_came(
            delay_ms in 0_u64..100, mbit in 0.0..1000.0_f64, lengths in prop::collection::vec(0_usize..1500, 1..50)
        ) {
            let now = Instant::now();
            let mut link = Link::new(Settings { delay_ms, mbit, ..PERFECT });
            for length in lengths {
                if let Fate::Deliver(at) = link.arrive(length, now, 0.5) {
                    prop_assert!(at >= now + Duration::from_millis(delay_ms));
                }
            }
        }
    }
}
