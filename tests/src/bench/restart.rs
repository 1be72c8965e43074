//! How long a fleet is away when its server restarts.

use std::time::{Duration, Instant};

use link::Transport;

use super::fleet::Fleet;
use super::place::{Pool, alone};
use super::report::report;
use super::{Size, machine};
use crate::Dev;

const GRACEFUL_SECONDS: f64 = 15.0;
const CRASH_SECONDS: f64 = 45.0;

/// What is not back by then is counted as lost.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(20);
/// Connections count as proven after half a minute, and back-off begins anew.
const SETTLE: Duration = Duration::from_secs(35);

/// One fleet, one restart of each kind.
pub async fn restart(size: Size) {
    let mut dev = Dev::start_with(alone());
    let api = dev.api();
    let pool = Pool::make(&dev, &api).await;
    let mut fleet = Fleet::new(&dev.facts.gateway, &pool.token, Transport::Quic);
    let count = machine::runners(size.pick(10_000, 200), false);
    let began = Instant::now();
    fleet.grow_to(count).await;
    let name = format!("restart.{count}_runners");
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    report(&format!("{name}.joined_per_second"), rate, "1/s", None);
    let settle = size.pick(SETTLE, Duration::from_secs(3));
    tokio::time::sleep(settle).await;
    let graceful = format!("{name}.graceful");
    measure(&mut dev, &fleet, &graceful, GRACEFUL_SECONDS, |dev| {
        dev.stop();
    })
    .await;
    tokio::time::sleep(settle).await;
    measure(
        &mut dev,
        &fleet,
        &format!("{name}.crash"),
        CRASH_SECONDS,
        Dev::kill,
    )
    .await;
}

/// Ends the server, starts it again at once, and waits until everybody is back.
async fn measure(
    dev: &mut Dev,
    fleet: &Fleet,
    name: &str,
    target: f64,
    end: impl FnOnce(&mut Dev),
) {
    let everybody = fleet.connected();
    let lost_before = machine::datagrams_lost();
    let began = Instant::now();
    tokio::task::block_in_place(|| {
        end(dev);
        fleet.nobody_is_back();
        dev.restart();
    });
    let away = began.elapsed().as_secs_f64();
    report(&format!("{name}.server_away"), away, "s", None);
    let back = until_back(fleet, everybody, began).await;
    report(&format!("{name}.all_back"), back.all, "s", Some(target));
    report(
        &format!("{name}.99_percent_back"),
        back.most,
        "s",
        Some(target),
    );
    let missing = everybody.saturating_sub(fleet.back());
    report(&format!("{name}.missing"), missing as f64, "runners", None);
    let lost = machine::datagrams_lost().saturating_sub(lost_before);
    report(
        &format!("{name}.datagrams_lost"),
        lost as f64,
        "datagrams",
        None,
    );
}

struct Back {
    all: f64,
    most: f64,
}

/// Seconds since `began` until everybody, and until all but one in a hundred, were connected to
/// the new server.
async fn until_back(fleet: &Fleet, everybody: usize, began: Instant) -> Back {
    let mut most = None;
    loop {
        let (back, elapsed) = (fleet.back(), began.elapsed());
        if most.is_none() && back * 100 >= everybody * 99 {
            most = Some(elapsed.as_secs_f64());
        }
        if back >= everybody || elapsed > PATIENCE {
            let all = elapsed.as_secs_f64();
            let most = most.unwrap_or(all);
            return Back { all, most };
        }
        tokio::time::sleep(LOOK).await;
    }
}
