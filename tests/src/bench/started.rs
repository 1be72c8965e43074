//! When things happened, by the one clock that server, runner and benchmark share.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Answer, wait};

const LOOK: Duration = Duration::from_millis(1);

/// Milliseconds since 1970.
pub(super) fn milliseconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
        * 1e3
}

/// A status time of a run (`plan-queued-at`), which the server took in the transaction itself.
///
/// # Panics
/// When the run never had it.
pub(super) fn status_time(run: &Answer, name: &str) -> f64 {
    let times = run.attribute("status-timestamps");
    let text = times[name].as_str();
    let text = text.unwrap_or_else(|| panic!("no {name} in {times}"));
    let parsed = chrono::DateTime::parse_from_rfc3339(text).unwrap();
    parsed.timestamp_micros() as f64 / 1e3
}

/// Waits until the only job of a runner has started its first command, whose output file is made
/// just before it.
pub(super) async fn first_command(jobs: &Path) -> f64 {
    let deadline = std::time::Instant::now() + wait::PATIENCE;
    loop {
        if let Some(file) = output_of_init(jobs) {
            let made = file.metadata().and_then(|it| it.created());
            return milliseconds(made.unwrap_or_else(|_| SystemTime::now()));
        }
        let late = std::time::Instant::now() > deadline;
        assert!(!late, "waited in vain until a step starts");
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until the runner holds no job.
pub(super) async fn no_job(jobs: &Path) {
    let nothing = async || {
        let mut entries = std::fs::read_dir(jobs).into_iter().flatten();
        entries.next().is_none().then_some(())
    };
    wait::until("the runner is done with its job", nothing).await;
}

fn output_of_init(jobs: &Path) -> Option<PathBuf> {
    std::fs::read_dir(jobs)
        .ok()?
        .flatten()
        .map(|job| job.path().join("step/output/init.stdout"))
        .find(|file| file.exists())
}
