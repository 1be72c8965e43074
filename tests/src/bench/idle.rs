//! What server and runners need when nothing happens, and how long a start takes.

use std::time::{Duration, Instant};

use link::Transport;
use serde_json::json;

use super::fleet::Fleet;
use super::place::{Pool, SMALL, Stage, alone, options};
use super::report::report;
use super::samples::Samples;
use super::{Size, machine};
use crate::Dev;

const SERVER_MB: f64 = 100.0;
const RUNNER_MB: f64 = 30.0;
const PER_RUNNER_KB: f64 = 64.0;
const START_SECONDS: f64 = 1.0;

/// How long nothing happens before memory is read: freed pages are given back in this time.
const REST: Duration = Duration::from_secs(15);
const QUICK_REST: Duration = Duration::from_secs(3);

/// Starts, memory, and memory per runner.
pub async fn idle(size: Size) {
    starts(size.pick(7, 2)).await;
    let rest = size.pick(REST, QUICK_REST);
    memory(rest).await;
    let fleet = machine::runners(size.pick(4_000, 200), true);
    for transport in [Transport::Quic, Transport::Tcp] {
        per_runner(transport, fleet, rest).await;
    }
}

/// From the start of the process to a server that says it is ready, without a runner of its own.
async fn starts(times: u32) {
    let (mut first, mut again) = (Samples::default(), Samples::default());
    for _ in 0..times {
        let began = Instant::now();
        let mut dev = Dev::start_with(alone());
        until_ready(&dev).await;
        first.add(began.elapsed().as_secs_f64());
        dev.stop();
        let began = Instant::now();
        dev.restart();
        until_ready(&dev).await;
        again.add(began.elapsed().as_secs_f64());
    }
    let target = Some(START_SECONDS);
    report("idle.first_start", first.percentile(50), "s", target);
    report("idle.start", again.percentile(50), "s", target);
}

async fn until_ready(dev: &Dev) {
    let api = dev.api();
    while api.get("/readyz").await.status != 200 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// After one run, so that what is loaded on first use is there.
async fn memory(rest: Duration) {
    let dev = Dev::start_with(options());
    let runner = dev.facts.runner_pids[0];
    let stage = Stage::make(&dev, "idle", json!({}), SMALL).await;
    let run = stage.dry_run().await;
    let ended = ["planned_and_finished"];
    stage.api.run_status(&run, &ended).await;
    tokio::time::sleep(rest).await;
    let server = machine::resident(dev.facts.pid);
    report("idle.server_memory", server, "MB", Some(SERVER_MB));
    let runner = machine::resident(runner);
    report("idle.runner_memory", runner, "MB", Some(RUNNER_MB));
}

/// What the server grows by with a fleet, divided by its size. Not from nothing: the first few
/// hundred also fill what is kept once, as the database's page caches.
async fn per_runner(transport: Transport, count: u32, rest: Duration) {
    let dev = Dev::start_with(alone());
    let api = dev.api();
    let pool = Pool::make(&dev, &api).await;
    let mut fleet = Fleet::new(&dev.facts.gateway, &pool.token, transport);
    let first = count / 4;
    fleet.grow_to(first).await;
    tokio::time::sleep(rest).await;
    let before = machine::resident(dev.facts.pid);
    fleet.grow_to(count).await;
    // A heart-beat of each, then rest.
    tokio::time::sleep(rest + Duration::from_secs(8)).await;
    let grown = machine::resident(dev.facts.pid) - before;
    let each = grown * 1e3 / f64::from(count - first);
    let name = format!("idle.server_memory_per_runner.{transport}");
    report(&name, each, "kB", Some(PER_RUNNER_KB));
}
