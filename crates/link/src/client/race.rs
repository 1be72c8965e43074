//! Runs a race: the first transport at once, the second after a while or when the first fails. The
//! first success ends it, and so does a refusal; the loser is dropped, which closes it.

use std::pin::pin;

use futures::future::{Fuse, FutureExt};
use tokio::sync::Notify;

use super::attempt::Failure;
use super::error::ConnectError;
use super::plan::{Plan, Start};
use crate::Transport;

/// What came of a race.
pub(super) struct Won<T> {
    pub(super) prize: T,
    pub(super) transport: Transport,
    /// Why this one, one sentence for people.
    pub(super) reason: String,
}

/// Runs it. On total failure: one sentence for each transport.
pub(super) async fn race<T, Fut>(
    plan: &Plan,
    attempt: impl Fn(Transport) -> Fut,
) -> Result<Won<T>, RaceError>
where
    Fut: Future<Output = Result<T, Failure>>,
{
    let first_failed = Notify::new();
    let mut first = pin!(attempt(plan.first).fuse());
    let mut second = pin!(match plan.second {
        Some((transport, start)) => {
            let attempt = &attempt;
            let first_failed = &first_failed;
            let late = async move {
                wait(start, first_failed).await;
                attempt(transport).await
            };
            late.fuse()
        }
        None => Fuse::terminated(),
    });
    let mut failures = Failures::default();
    loop {
        let (transport, outcome) = futures::select_biased! {
            outcome = first => (plan.first, outcome),
            outcome = second => (plan.second.map_or(plan.first, |(second, _)| second), outcome),
            complete => return Err(RaceError::Unreachable(failures.0)),
        };
        match outcome {
            Ok(prize) => {
                let reason = if transport == plan.first {
                    plan.reason.to_owned()
                } else {
                    failures.reason_for_second(plan)
                };
                return Ok(Won {
                    prize,
                    transport,
                    reason,
                });
            }
            Err(Failure::Final(error)) => return Err(RaceError::Final(error)),
            Err(Failure::Soft(failure)) => {
                failures.0.push(format!("{}: {failure}", name(transport)));
                first_failed.notify_one();
            }
        }
    }
}

/// Why nobody won.
pub(super) enum RaceError {
    Final(ConnectError),
    Unreachable(Vec<String>),
}

#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn reason_for_second(&self, plan: &Plan) -> String {
        match (self.0.first(), plan.second) {
            (Some(failure), _) => format!("the other way failed ({failure})"),
            (None, Some((_, Start::After(head_start)))) => format!(
                "{} did not answer within {} ms",
                name(plan.first),
                head_start.as_millis()
            ),
            (None, Some((_, Start::OnFailure)) | None) => plan.reason.to_owned(),
        }
    }
}

async fn wait(start: Start, first_failed: &Notify) {
    match start {
        Start::OnFailure => first_failed.notified().await,
        Start::After(head_start) => {
            tokio::select! {
                () = tokio::time::sleep(head_start) => {}
                () = first_failed.notified() => {}
            }
        }
    }
}

pub(super) fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Quic => "QUIC",
        Transport::Tcp => "TCP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::config::TransportChoice;
    use crate::client::error::Refusal;
    use crate::client::plan::Known;

    fn plan(last_winner: Option<Transport>) -> Plan {
        Plan::new(Known {
            choice: TransportChoice::Auto,
            behind_proxy: false,
            last_winner,
            quic_avoided: false,
        })
    }

    fn refusal(transport: Transport) -> Failure {
        let answer = tonic::Status::permission_denied("no");
        let refusal = Refusal::Answer(Box::new(answer));
        Failure::Final(ConnectError::Refused { transport, refusal })
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_quic_loses_to_tcp() {
        let plan = plan(None);
        let won = race(&plan, |transport| async move {
            match transport {
                Transport::Quic => std::future::pending().await,
                Transport::Tcp => Ok(()),
            }
        });
        let Ok(won) = won.await else {
            panic!("nobody won")
        };
        assert_eq!(won.transport, Transport::Tcp);
        assert_eq!(won.reason, "QUIC did not answer within 250 ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_quic_starts_tcp_at_once() {
        let start = tokio::time::Instant::now();
        let plan = plan(None);
        let won = race(&plan, |transport| async move {
            match transport {
                Transport::Quic => Err(Failure::Soft("no UDP".to_owned())),
                Transport::Tcp => Ok(()),
            }
        });
        let Ok(won) = won.await else {
            panic!("nobody won")
        };
        assert_eq!(won.reason, "the other way failed (QUIC: no UDP)");
        assert_eq!(start.elapsed(), std::time::Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_final() {
        let plan = plan(None);
        let lost = race(&plan, |transport| async move {
            match transport {
                Transport::Quic => Err::<(), _>(refusal(transport)),
                Transport::Tcp => panic!("TCP must not be tried"),
            }
        });
        assert!(matches!(lost.await, Err(RaceError::Final(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn two_failures_are_both_told() {
        let plan = plan(Some(Transport::Tcp));
        let lost = race(&plan, |_| async {
            Err::<(), _>(Failure::Soft("no".to_owned()))
        });
        let Err(RaceError::Unreachable(failures)) = lost.await else {
            panic!("not both failed")
        };
        assert_eq!(failures, ["TCP: no", "QUIC: no"]);
    }
}
