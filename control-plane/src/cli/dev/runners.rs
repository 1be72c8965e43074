//! The runners of `terrane dev`: kept alive, and stopped at the end.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, select_all};
use tokio::sync::Mutex;

use super::arguments::Arguments;
use super::data_dir::DataDir;
use super::private_file;
use super::runner_process::{Runner, Specification};
use crate::cli::failure::Failure;
use crate::supervise::{Stop, Tasks, Wake};

const PROGRAM: &str = "terrane-runner";
/// A pass ends only with a runner or with the process, so this is the pause after a restart.
const PERIOD: Duration = Duration::from_millis(100);

/// A runner ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
enum RunnerError {
    #[error("{name} ended: {how}")]
    Ended { name: String, how: String },
    #[error("{name} can't be started or watched")]
    Process { name: String, source: io::Error },
}

/// All runners of this process.
struct Runners {
    specifications: Vec<Specification>,
    alive: Mutex<Vec<Option<Runner>>>,
}

/// Starts the runners and keeps them alive. Returns their process ids.
pub(super) async fn start(
    tasks: &Tasks,
    arguments: &Arguments,
    data: &DataDir,
    gateway: SocketAddr,
) -> Result<Vec<u32>, Failure> {
    if arguments.runners() == 0 {
        return Ok(Vec::new());
    }
    let program = beside_us()?;
    let specifications = (1..=arguments.runners())
        .map(|number| Specification {
            program: program.clone(),
            name: format!("dev-{number}"),
            gateway: dialable(gateway),
            token_file: data.runner_token(),
            data_dir: data.runner(number),
            executor: arguments.executor.as_str(),
            pid_file: data.runner_pid(number),
        })
        .collect::<Vec<_>>();
    for specification in &specifications {
        private_file::passable_directory(&specification.data_dir)
            .map_err(|error| Failure::failed("a runner's directory can't be made", error))?;
    }
    let alive = Mutex::new(specifications.iter().map(|_| None).collect());
    let runners = Arc::new(Runners {
        specifications,
        alive,
    });
    let pids = runners
        .start_missing()
        .await
        .map_err(|error| Failure::failed("a runner can't be started", error))?;
    let stop = tasks.stop().clone();
    tasks.reconciler("dev.runners", PERIOD, Wake::new(), move || {
        let (runners, stop) = (Arc::clone(&runners), stop.clone());
        async move { runners.keep_alive(&stop).await }
    });
    Ok(pids)
}

impl Runners {
    /// Starts those that don't live; returns the pids of all.
    async fn start_missing(&self) -> Result<Vec<u32>, RunnerError> {
        let mut alive = self.alive.lock().await;
        for (place, specification) in alive.iter_mut().zip(&self.specifications) {
            if place.is_none() {
                let runner =
                    Runner::obtain(specification)
                        .await
                        .map_err(|source| RunnerError::Process {
                            name: specification.name.clone(),
                            source,
                        })?;
                *place = Some(runner);
            }
        }
        Ok(alive.iter().flatten().filter_map(Runner::pid).collect())
    }

    /// One pass: all live, until one of them ends (an error) or the process stops.
    async fn keep_alive(&self, stop: &Stop) -> Result<(), RunnerError> {
        self.start_missing().await?;
        let mut alive = self.alive.lock().await;
        let ended = tokio::select! {
            ended = first_to_end(&mut alive) => Some(ended),
            () = stop.asked() => None,
        };
        let Some((ended, number)) = ended else {
            stop_all(&mut alive).await;
            return Ok(());
        };
        // All places were taken, so the number among those alive is the number of the place.
        alive[number] = None;
        let name = self.specifications[number].name.clone();
        Err(match ended {
            Ok(how) => RunnerError::Ended { name, how },
            Err(source) => RunnerError::Process { name, source },
        })
    }
}

async fn first_to_end(alive: &mut [Option<Runner>]) -> (io::Result<String>, usize) {
    let waits = alive
        .iter_mut()
        .flatten()
        .map(|runner| Box::pin(runner.ended()));
    let (ended, number, _) = select_all(waits).await;
    (ended, number)
}

/// Asks all to stop, and waits for them. Whoever has no time left drops this, which kills those
/// that we started.
async fn stop_all(alive: &mut [Option<Runner>]) {
    for runner in alive.iter().flatten() {
        runner.terminate();
    }
    join_all(alive.iter_mut().flatten().map(Runner::ended)).await;
}

/// The runner's program, beside our own.
fn beside_us() -> Result<PathBuf, Failure> {
    let ours = std::env::current_exe()
        .map_err(|error| Failure::failed("our own program can't be found", error))?;
    let program = ours.with_file_name(PROGRAM);
    if program.exists() {
        return Ok(program);
    }
    Err(Failure::new(format!(
        "{} is missing: put {PROGRAM} beside terrane, or pass --no-runner and start one yourself",
        program.display()
    )))
}

/// The address to dial for an address that is listened on.
pub(super) fn dialable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        ip if !ip.is_unspecified() => listen,
        IpAddr::V4(_) | IpAddr::V6(_) => {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port())
        }
    }
}
