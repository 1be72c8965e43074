//! How long a run waits for its runner, and a runner's job for its terraform.

use std::path::PathBuf;
use std::time::Duration;

use link::Transport;
use serde_json::json;
use testkit::database::TestDb;
use workshop::{Tree, product};

use super::fleet::Fleet;
use super::place::{Pool, SMALL, Stage, options};
use super::report::report;
use super::samples::Samples;
use super::started::{first_command, milliseconds, no_job, status_time};
use super::{Size, machine};
use crate::{Dev, Options};

/// What a queue on one database has to reach, in milliseconds.
struct Target {
    database: &'static str,
    p50: f64,
    p99: f64,
}

const SQLITE: Target = Target {
    database: "sqlite",
    p50: 20.0,
    p99: 60.0,
};
const POSTGRES: Target = Target {
    database: "postgres",
    p50: 15.0,
    p99: 50.0,
};
const PROCESS_START: f64 = 100.0;
const DOCKER_START: f64 = 300.0;

/// Idle runners that are connected while it is measured.
const FLEETS: [u32; 4] = [1, 100, 1_000, 10_000];
const QUICK_FLEETS: [u32; 2] = [1, 100];
/// A pause between two samples, so that none falls into the wake of the one before.
const PAUSE: Duration = Duration::from_millis(20);
/// New runners' heart-beats spread out for so long.
const SETTLE: Duration = Duration::from_secs(3);

/// Measures on both databases, then in containers.
pub async fn queue(size: Size) {
    measure(size, &SQLITE, options()).await;
    if let Some(database) = TestDb::durable_postgres().await {
        let options = Options {
            database: Some(database.url().to_owned()),
            ..options()
        };
        measure(size, &POSTGRES, options).await;
        database.close().await;
    }
    if testkit::programs::docker() {
        // The one beside the runner needs this machine's libraries, which an image hasn't.
        let supervisor = product::static_supervisor(&Tree::here()).unwrap();
        let supervisor = supervisor.display().to_string();
        let options = Options {
            executor: "docker",
            environment: vec![("TERRANE_RUNNER_SUPERVISOR".to_owned(), supervisor)],
            ..options()
        };
        let dev = Dev::start_with(options);
        report_starts("queue.docker", &dev, size, DOCKER_START).await;
    } else {
        eprintln!("queue: no docker daemon answers, so starts in containers are left out");
    }
}

async fn measure(size: Size, target: &Target, options: Options) {
    let dev = Dev::start_with(options);
    let api = dev.api();
    let pool = Pool::make(&dev, &api).await;
    let stage = Stage::make(&dev, "queue", pool.binding(), SMALL).await;
    let mut fleet = Fleet::new(&dev.facts.gateway, &pool.token, Transport::Quic);
    for wanted in size.pick(&FLEETS[..], &QUICK_FLEETS[..]) {
        let count = machine::runners(*wanted, false);
        fleet.grow_to(count).await;
        tokio::time::sleep(size.pick(SETTLE, Duration::from_millis(500))).await;
        let name = format!("queue.{}.{count}_runners", target.database);
        let mut samples = Samples::default();
        for _ in 0..size.pick(300, 30) {
            samples.add(leased_after(&stage, &mut fleet).await);
            tokio::time::sleep(PAUSE).await;
        }
        for (percent, target) in [(50, target.p50), (99, target.p99)] {
            let name = format!("{name}.queued_to_leased.p{percent}");
            report(&name, samples.percentile(percent), "ms", Some(target));
        }
        report_starts(&name, &dev, size, PROCESS_START).await;
    }
}

/// From the moment at which the server queued a run's job to the answer that made it a runner's.
async fn leased_after(stage: &Stage, fleet: &mut Fleet) -> f64 {
    let run = stage.dry_run().await;
    let held = fleet.job().await;
    assert_eq!(held.job.run_id, run);
    let taken_at = milliseconds(held.taken_at);
    let found = stage.api.get(&format!("runs/{run}")).await.expect(200);
    held.fail().await;
    taken_at - status_time(&found, "plan-queued-at")
}

/// From the lease to the start of terraform's first command, on the server's real runner.
async fn report_starts(name: &str, dev: &Dev, size: Size, target: f64) {
    let stage = Stage::make(dev, &unique("start"), json!({}), SMALL).await;
    let jobs: PathBuf = dev.facts.data_dir.join("runner/1/jobs");
    let mut samples = Samples::default();
    // The first one finds nothing prepared, and doesn't count.
    for index in 0..=size.pick(30, 4) {
        let run = stage.dry_run().await;
        let started = first_command(&jobs).await;
        let found = stage.api.run_status(&run, &["planned_and_finished"]).await;
        no_job(&jobs).await;
        if index > 0 {
            samples.add(started - status_time(&found, "planning-at"));
        }
    }
    for percent in [50, 99] {
        let name = format!("{name}.leased_to_started.p{percent}");
        report(&name, samples.percentile(percent), "ms", Some(target));
    }
}

/// A workspace's name that is new on each call.
fn unique(name: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
