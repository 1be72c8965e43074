//! The supervisor's promises, on paused time: nothing here waits for real.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::clock::Clock;

const PERIOD: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_unasked_ends_the_process() {
    let rig = Rig::new();
    rig.tasks
        .server("api", |_| async { Ok::<_, Infallible>(()) });
    let other = rig.polite_server("gateway");

    let ending = rig.run().await;

    assert_eq!(
        ending.died,
        [("api", "ended without being asked to".to_owned())]
    );
    assert_eq!(ending.exit_code(), 1);
    assert!(!ending.cut_off);
    other.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_servers_error_is_told_with_its_causes() {
    let rig = Rig::new();
    rig.tasks.server("api", |_| async {
        Err::<(), _>(telemetry::logs::check_filter("[[").unwrap_err())
    });
    let ending = rig.run().await;
    let (name, reason) = &ending.died[0];
    assert_eq!(*name, "api");
    assert!(
        reason.contains("is no log filter") && reason.contains(": "),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_servers_panic_ends_the_process() {
    let rig = Rig::new();
    rig.tasks.server("api", |_| async {
        assert_eq!(1, 2, "arithmetic has changed");
        Ok::<_, Infallible>(())
    });
    let ending = rig.run().await;
    assert!(
        ending.died[0].1.contains("arithmetic has changed"),
        "{ending:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_signal_lets_everybody_finish() {
    let rig = Rig::new();
    let server = rig.polite_server("api");
    rig.counting_reconciler("sweep", &Wake::new());
    rig.signal();

    let tasks = rig.tasks.clone();
    let ending = rig.run().await;

    assert_eq!(ending, Ending::default());
    assert_eq!(ending.exit_code(), 0);
    server.await.unwrap();
    assert!(tasks.statuses().iter().all(|it| it.state == State::Ended));
}

#[tokio::test(start_paused = true)]
async fn past_the_soft_deadline_tasks_are_cut_off() {
    let rig = Rig::new();
    rig.tasks.server("slow", |stop| async move {
        stop.out_of_time().await;
        Ok::<_, Infallible>(())
    });
    rig.signal();
    let began = tokio::time::Instant::now();

    let ending = rig.run().await;

    assert!(ending.cut_off && ending.left.is_empty(), "{ending:?}");
    assert_eq!(
        began.elapsed().as_secs(),
        Deadlines::default().soft.as_secs()
    );
    assert_eq!(ending.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn past_the_hard_deadline_nobody_is_waited_for() {
    let rig = Rig::new();
    rig.tasks
        .server("deaf", |_| std::future::pending::<Result<(), Infallible>>());
    rig.signal();

    let ending = rig.run().await;

    assert_eq!(ending.left, ["deaf"]);
    assert_eq!(ending.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_forces() {
    let rig = Rig::new();
    rig.tasks.server("slow", |stop| async move {
        stop.out_of_time().await;
        Ok::<_, Infallible>(())
    });
    rig.signal();
    rig.signal();
    let began = tokio::time::Instant::now();

    let ending = rig.run().await;

    assert!(ending.cut_off);
    assert!(began.elapsed() < Deadlines::default().soft);
}

#[tokio::test(start_paused = true)]
async fn a_reconciler_passes_at_once_then_by_period_and_wake() {
    let rig = Rig::new();
    let wake = Wake::new();
    let mut passes = rig.counting_reconciler("sweep", &wake);

    assert_eq!(passes.recv().await, Some(1));
    wake.wake();
    assert_eq!(passes.recv().await, Some(2));
    let before = tokio::time::Instant::now();
    assert_eq!(passes.recv().await, Some(3));
    assert_eq!(before.elapsed().as_secs(), PERIOD.as_secs());
}

#[tokio::test(start_paused = true)]
async fn wakes_during_a_pass_lead_to_one_more_pass() {
    let rig = Rig::new();
    let wake = Wake::new();
    let (sender, mut passes) = mpsc::channel(8);
    let (inner, count) = (wake.clone(), Arc::new(AtomicU32::new(0)));
    rig.tasks.reconciler("sweep", PERIOD, wake, move || {
        let n = count.fetch_add(1, Ordering::Relaxed) + 1;
        if n == 1 {
            inner.wake();
            inner.wake();
        }
        let sender = sender.clone();
        async move { sender.send(n).await }
    });

    assert_eq!(passes.recv().await, Some(1));
    assert_eq!(passes.recv().await, Some(2));
    let before = tokio::time::Instant::now();
    assert_eq!(passes.recv().await, Some(3));
    assert_eq!(before.elapsed().as_secs(), PERIOD.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_failed_pass_is_retried_after_a_growing_pause() {
    let rig = Rig::new();
    let (sender, mut passes) = mpsc::channel(8);
    let wake = Wake::new();
    // Wakes don't shorten the pause: a broken database isn't helped by more queries.
    wake.wake();
    let count = Arc::new(AtomicU32::new(0));
    rig.tasks.reconciler("sweep", PERIOD, wake, move || {
        let n = count.fetch_add(1, Ordering::Relaxed) + 1;
        let sender = sender.clone();
        async move {
            sender.send(n).await.map_err(|error| error.to_string())?;
            match n {
                1 => Err("no database".to_owned()),
                2 => panic!("a bug"),
                _ => Ok(()),
            }
        }
    });

    let began = tokio::time::Instant::now();
    assert_eq!(passes.recv().await, Some(1));
    assert_eq!(passes.recv().await, Some(2));
    assert_eq!(began.elapsed().as_secs(), 1);
    assert_eq!(passes.recv().await, Some(3));
    assert_eq!(began.elapsed().as_secs(), 3);
    tokio::time::sleep(Duration::from_millis(1)).await;

    let status = &rig.tasks.statuses()[0];
    assert_eq!(status.failures, 0);
    assert!(status.passes >= 1 && status.last_success.is_some());
    assert_eq!(status.last_error.as_deref(), Some("panicked: a bug"));
    let metrics = rig.registry.render().unwrap();
    assert!(
        metrics.contains("terrane_task_passes_total{result=\"error\",task=\"sweep\"} 2"),
        "{metrics}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pass_under_way_is_finished_before_the_end() {
    let rig = Rig::new();
    let (done, is_done) = oneshot::channel();
    let mut done = Some(done);
    let signals = rig.signals.clone();
    rig.tasks.reconciler("sweep", PERIOD, Wake::new(), move || {
        let (done, signals) = (done.take(), signals.clone());
        async move {
            let _ = signals.send(Signal::Terminate).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            if let Some(done) = done {
                let _ = done.send(());
            }
            Ok::<_, Infallible>(())
        }
    });

    let ending = rig.run().await;

    assert_eq!(ending, Ending::default());
    is_done.await.unwrap();
}

struct Rig {
    supervisor: Supervisor,
    tasks: Tasks,
    registry: telemetry::metrics::Registry,
    signals: mpsc::Sender<Signal>,
    receiver: mpsc::Receiver<Signal>,
}

impl Rig {
    fn new() -> Self {
        let registry = telemetry::metrics::Registry::new();
        let metrics = TaskMetrics::register(&registry).unwrap();
        let supervisor = Supervisor::new(Deadlines::default(), Clock::System, metrics);
        let (signals, receiver) = mpsc::channel(4);
        Self {
            tasks: supervisor.tasks(),
            supervisor,
            registry,
            signals,
            receiver,
        }
    }

    fn signal(&self) {
        self.signals.try_send(Signal::Terminate).unwrap();
    }

    async fn run(self) -> Ending {
        self.supervisor.run(self.receiver).await
    }

    /// Serves until it is asked to stop, then tells that it did.
    fn polite_server(&self, name: &'static str) -> oneshot::Receiver<()> {
        let (ended, has_ended) = oneshot::channel();
        self.tasks.server(name, |stop| async move {
            stop.asked().await;
            let _ = ended.send(());
            Ok::<_, Infallible>(())
        });
        has_ended
    }

    /// Reports the number of each pass.
    fn counting_reconciler(&self, name: &'static str, wake: &Wake) -> mpsc::Receiver<u32> {
        let (sender, passes) = mpsc::channel(8);
        let count = Arc::new(AtomicU32::new(0));
        self.tasks.reconciler(name, PERIOD, wake.clone(), move || {
            let n = count.fetch_add(1, Ordering::Relaxed) + 1;
            let sender = sender.clone();
            async move {
                // The test may have stopped looking.
                let _ = sender.send(n).await;
                Ok::<_, Infallible>(())
            }
        });
        passes
    }
}
