//! Who starts when in the race. Pure.

use std::time::Duration;

use super::config::TransportChoice;
use crate::Transport;

/// The head start of QUIC where nothing is known.
const HEAD_START: Duration = Duration::from_millis(250);
/// Its head start where it won last time.
const LONG_HEAD_START: Duration = Duration::from_secs(1);

/// What is known before a race.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) choice: TransportChoice,
    pub(super) behind_proxy: bool,
    /// Who won in this network in the last 24 h.
    pub(super) last_winner: Option<Transport>,
    /// QUIC was lost twice within a short time.
    pub(super) quic_avoided: bool,
}

/// Who starts, who follows, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) first: Transport,
    pub(super) second: Option<(Transport, Start)>,
    /// Why the first one is first, one sentence for people.
    pub(super) reason: &'static str,
}

/// When the second one starts: at a failure of the first, or after this time, whichever is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    After(Duration),
    OnFailure,
}

impl Plan {
    pub(super) fn new(known: Known) -> Self {
        let quic_first = |head_start, reason| Self {
            first: Transport::Quic,
            second: Some((Transport::Tcp, Start::After(head_start))),
            reason,
        };
        let tcp_first = |second, reason| Self {
            first: Transport::Tcp,
            second,
            reason,
        };
        let quic_later = Some((Transport::Quic, Start::OnFailure));
        match known.choice {
            _ if known.behind_proxy => {
                tcp_first(None, "a proxy is configured, and proxies carry TCP only")
            }
            TransportChoice::Only(first) => Self {
                first,
                second: None,
                reason: "the configuration asks for it",
            },
            TransportChoice::Auto if known.quic_avoided => {
                tcp_first(quic_later, "QUIC was lost twice within ten minutes")
            }
            TransportChoice::Auto => match known.last_winner {
                None => quic_first(HEAD_START, "it answered first"),
                Some(Transport::Quic) => {
                    quic_first(LONG_HEAD_START, "it won in this network before")
                }
                Some(Transport::Tcp) => tcp_first(quic_later, "it won in this network before"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Known = Known {
        choice: TransportChoice::Auto,
        behind_proxy: false,
        last_winner: None,
        quic_avoided: false,
    };

    #[test]
    fn an_unknown_network_gives_quic_a_short_head_start() {
        let plan = Plan::new(NOTHING);
        assert_eq!(plan.first, Transport::Quic);
        assert_eq!(
            plan.second,
            Some((Transport::Tcp, Start::After(HEAD_START)))
        );
    }

    #[test]
    fn the_last_winner_is_preferred() {
        let quic = Plan::new(Known {
            last_winner: Some(Transport::Quic),
            ..NOTHING
        });
        assert_eq!(
            quic.second,
            Some((Transport::Tcp, Start::After(LONG_HEAD_START)))
        );
        let tcp = Plan::new(Known {
            last_winner: Some(Transport::Tcp),
            ..NOTHING
        });
        assert_eq!(tcp.first, Transport::Tcp);
        assert_eq!(tcp.second, Some((Transport::Quic, Start::OnFailure)));
    }

    #[test]
    fn losses_beat_an_earlier_win() {
        let known = Known {
            last_winner: Some(Transport::Quic),
            quic_avoided: true,
            ..NOTHING
        };
        assert_eq!(Plan::new(known).first, Transport::Tcp);
    }

    #[test]
    fn a_proxy_means_tcp_and_nothing_else() {
        let choice = TransportChoice::Only(Transport::Quic);
        let plan = Plan::new(Known {
            choice,
            behind_proxy: true,
            ..NOTHING
        });
        assert_eq!((plan.first, plan.second), (Transport::Tcp, None));
    }

    #[test]
    fn a_chosen_transport_has_no_rival() {
        let choice = TransportChoice::Only(Transport::Quic);
        let plan = Plan::new(Known { choice, ..NOTHING });
        assert_eq!((plan.first, plan.second), (Transport::Quic, None));
    }
}
