//! Puts the runner together: configuration in, everything built and run, until the end.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use link::backoff::Backoff;
use link::client::{Connector, ConnectorConfig};
use link::tls::Trust;
use protocol::v1::Capabilities;
use tokio::sync::{mpsc, watch};

use crate::config::{Config, ExecutorChoice};
use crate::executor::docker::DockerExecutor;
use crate::executor::process::ProcessExecutor;
use crate::executor::{Executor, Executors};
use crate::firewall::Firewall;
use crate::identity::{self, Identity};
use crate::job::cli_config::{Mirror, Providers, providers_in};
use crate::job::{Context, JobDirectory};
use crate::machine::Machine;
use crate::providers::{Filler, ProviderCache, Wishes};
use crate::session::shell::{Introduction, Request, Session, SessionEnd};
use crate::terraform_binary::Binaries;
use crate::wire::Wire;
use crate::{drain, files, http_client};

const USUAL_MIRRORS: [&str; 2] = [
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
];

/// Why the runner could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("the data directory {path} can't be used")]
    Data {
        path: std::path::PathBuf,
        source: io::Error,
    },
    #[error("another runner works on {0}; give each its own --data-dir")]
    Occupied(std::path::PathBuf),
    #[error(transparent)]
    Identity(#[from] identity::StoreError),
    #[error(transparent)]
    Enrol(#[from] identity::EnrolError),
    #[error(transparent)]
    Connector(#[from] link::client::ConnectError),
    #[error(transparent)]
    Client(#[from] http_client::ClientError),
    #[error("{0}")]
    Executor(String),
    #[error(
        "the gateway refuses this runner; what its jobs left is kept in {0}. Enrol it again with a \
         new join token, or look in the pool why it was revoked"
    )]
    Refused(std::path::PathBuf),
    #[error("signals can't be waited for")]
    Signals(#[source] io::Error),
}

/// Runs until a signal or a drain ends it.
///
/// # Errors
/// [`AppError`].
pub async fn run(mut config: Config) -> Result<(), AppError> {
    let data = config.data.clone();
    let data_error = |source| AppError::Data {
        path: data.clone(),
        source,
    };
    files::make_passage(&data).map_err(data_error)?;
    files::make_passage(&data.join("jobs")).map_err(data_error)?;
    let _occupied = drain::occupy(&config.data).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            AppError::Occupied(config.data.clone())
        } else {
            data_error(source)
        }
    })?;

    config.supervisor = installed_supervisor(&config).map_err(data_error)?;

    let (requests, inbox) = mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(watch_signals(requests.clone()));
    let wish = drain::wished(config.data.clone());
    tasks.spawn(async move {
        wish.await;
        tracing::info!("draining: no more jobs are taken");
        let _ = requests.send(Request::Drain);
    });

    let (built, filler) = Box::pin(build(&config)).await?;
    if let Some(filler) = filler {
        tasks.spawn(filler.run());
    }
    let found = found_jobs(&config.data);
    let end = Box::pin(built.run(found, inbox)).await;
    match end {
        SessionEnd::Done => Ok(()),
        SessionEnd::Refused => Err(AppError::Refused(config.data.join("jobs"))),
    }
}

/// A copy of the supervisor in the data directory, which the users of steps can reach: the one beside
/// the runner may lie in a directory that only the runner's user may enter.
fn installed_supervisor(config: &Config) -> io::Result<PathBuf> {
    let directory = config.data.join("bin");
    files::make_passage(&directory)?;
    let installed = directory.join("terrane-supervisor");
    files::install_program(&config.supervisor, &installed)?;
    Ok(installed)
}

/// Asks the runner of a data directory to finish and waits for it; whether there was one.
///
/// # Errors
/// When the data directory can't be used.
pub async fn drain(data: &Path) -> Result<bool, AppError> {
    drain::drain(data).await.map_err(|source| AppError::Data {
        path: data.to_owned(),
        source,
    })
}

async fn build(config: &Config) -> Result<(Session, Option<Filler>), AppError> {
    let machine = Machine::probe(&config.supervisor)
        .await
        .map_err(AppError::Executor)?;
    let (executors, capabilities) = executors(config, machine).await?;
    let client =
        http_client::for_downloads(config.https_proxy.as_ref(), config.no_proxy.as_deref())?;
    let (filler, provider_cache) = provider_cache(config, &client)?.unzip();
    let identity = Box::pin(identity_of(config)).await?;
    let connector = Connector::new(connector_config(config, identity.trust(), Some(&identity)))?;
    let (connection, seen) = watch::channel(None);
    let context = Context {
        wire: Wire::new(seen),
        executors,
        provider_cache,
        binaries: Binaries::new(&config.data, config.releases.clone(), client),
        providers: providers(config),
        proxy: config
            .https_proxy
            .clone()
            .map(|url| (url, config.no_proxy.clone())),
        proxy_environment: proxy_environment(config),
    };
    let session = Session {
        connector,
        identity,
        introduction: Introduction {
            name: config.name.clone(),
            labels: config.labels.clone(),
            capacity: config.capacity,
            capabilities,
        },
        context: Arc::new(context),
        connection,
        data: config.data.clone(),
    };
    Ok((session, filler))
}

fn provider_cache(
    config: &Config,
    client: &reqwest::Client,
) -> Result<Option<(Filler, Wishes)>, AppError> {
    if config.provider_cache_bytes == 0 {
        return Ok(None);
    }
    let cache = ProviderCache::open(&config.data).map_err(|source| AppError::Data {
        path: config.data.join("providers"),
        source,
    })?;
    let hosts = config.provider_cache_hosts.clone();
    let (client, most) = (client.clone(), config.provider_cache_bytes);
    Ok(Some(Filler::new(cache, hosts, client, most)))
}

async fn executors(
    config: &Config,
    machine: Machine,
) -> Result<(Executors, Capabilities), AppError> {
    let mut process = ProcessExecutor::new(
        config.supervisor.clone(),
        machine.clone(),
        config.sandbox,
        &config.data,
    )
    .map_err(AppError::Executor)?;
    let (level, layers) = (process.level(), process.layers());
    let mut docker = docker(config, &machine).await?;
    let firewall = Firewall::find();
    let mut metadata_address_blocked = true;
    if config.executor != ExecutorChoice::Docker {
        let kept = match &firewall {
            Ok(firewall) => process.keep_from_metadata(firewall.clone()).await,
            Err(reason) => Err(reason.clone()),
        };
        metadata_address_blocked &= is_kept("processes", kept);
    }
    if let Some(docker) = &mut docker {
        let kept = match &firewall {
            Ok(firewall) => docker.keep_from_metadata(firewall.clone()).await,
            Err(reason) => Err(reason.clone()),
        };
        metadata_address_blocked &= is_kept("containers", kept);
    }
    let process = (config.executor != ExecutorChoice::Docker).then_some(process);
    let executors = Executors {
        process: process.map(|it| Arc::new(it) as Arc<dyn Executor>),
        docker: docker.map(|it| Arc::new(it) as Arc<dyn Executor>),
    };
    tracing::info!(
        executors = ?executors.names(), sandbox = level.name(), layers = ?layers,
        missing = %machine.what_is_missing(), "steps run in"
    );
    let capabilities = Capabilities {
        executors: executors.names(),
        sandbox: layers,
        sandbox_level: level.name().to_owned(),
        metadata_address_blocked,
        os: std::env::consts::OS.to_owned(),
        arch: crate::logs::script::architecture().to_owned(),
        features: protocol::features::ALL
            .iter()
            .map(|it| (*it).to_owned())
            .collect(),
    };
    Ok((executors, capabilities))
}

/// Whether the metadata address is out of reach; says why not.
fn is_kept(whom: &str, kept: Result<(), String>) -> bool {
    match kept {
        Ok(()) => true,
        Err(reason) => {
            tracing::warn!(steps = whom, %reason, "steps can reach the cloud's metadata address");
            false
        }
    }
}

/// Docker if it is wanted and there; what is missing is said, and an error only where docker was
/// asked for by name.
async fn docker(config: &Config, machine: &Machine) -> Result<Option<DockerExecutor>, AppError> {
    if config.executor == ExecutorChoice::Process {
        return Ok(None);
    }
    let mark = config.data.to_string_lossy().into_owned();
    let (supervisor, image) = (config.supervisor.clone(), config.image.clone());
    match DockerExecutor::connect(supervisor, image, mark, machine.clone()).await {
        Ok(docker) => Ok(Some(docker)),
        Err(reason) if config.executor == ExecutorChoice::Docker => Err(AppError::Executor(
            format!("docker can't be used: {reason}"),
        )),
        Err(reason) => {
            tracing::warn!(%reason, "docker can't be used; steps run as processes");
            Ok(None)
        }
    }
}

fn providers(config: &Config) -> Providers {
    // Where terraform looks by itself unless it is told where to look.
    let usual = match config.mirror {
        Some(_) => &[][..],
        None => &USUAL_MIRRORS[..],
    };
    let usual = usual.iter().map(PathBuf::from).filter(|path| path.is_dir());
    let mirrors = config
        .mirror
        .iter()
        .cloned()
        .chain(usual)
        .map(|path| Mirror {
            only_here: providers_in(&path),
            path,
        });
    Providers {
        mirrors: mirrors.collect(),
    }
}

fn proxy_environment(config: &Config) -> Vec<(String, String)> {
    let proxy = config
        .https_proxy
        .iter()
        .map(|url| ("HTTPS_PROXY", url.to_string()));
    let exceptions = config
        .no_proxy
        .iter()
        .map(|hosts| ("NO_PROXY", hosts.clone()));
    proxy
        .chain(exceptions)
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn connector_config(config: &Config, trust: Trust, identity: Option<&Identity>) -> ConnectorConfig {
    ConnectorConfig {
        transport: config.transport,
        https_proxy: config.https_proxy.clone(),
        network_memory: Some(config.data.join("networks.json")),
        ..ConnectorConfig::new(
            config.gateway.clone(),
            trust,
            identity.map(Identity::client),
        )
    }
}

/// The identity kept on disk, exchanged if it has run out; else a new one for the join token.
async fn identity_of(config: &Config) -> Result<Identity, AppError> {
    let kept = Identity::load(&config.data)?;
    let now = crate::clock::unix_seconds();
    if let Some(kept) = kept.as_ref().filter(|it| !it.is_expired(now)) {
        return Ok(kept.clone());
    }
    let trust = match (&kept, &config.token) {
        (Some(kept), _) => kept.trust(),
        (None, Some(token)) => Trust::Fingerprint(token.ca_fingerprint()),
        (None, None) => {
            return Err(AppError::Executor("--token-file is missing".to_owned()));
        }
    };
    let connector = Connector::new(connector_config(config, trust, None))?;
    let mut backoff = Backoff::default();
    loop {
        let asked = match (&kept, &config.token) {
            (Some(kept), _) => Box::pin(identity::recover(&connector, kept)).await,
            (None, Some(token)) => {
                Box::pin(identity::enrol(
                    &connector,
                    token,
                    &config.name,
                    &config.labels,
                ))
                .await
            }
            (None, None) => continue,
        };
        match asked {
            Ok(identity) => {
                identity.save(&config.data)?;
                tracing::info!(runner = %identity.runner_id, "enrolled");
                return Ok(identity);
            }
            Err(error) if error.is_passing() => {
                let wait = backoff.next(Duration::ZERO, None, rand::random());
                tracing::warn!(%error, ?wait, "not enrolled yet");
                tokio::time::sleep(wait).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What an earlier process left. What can't be read is said, and left where it is.
fn found_jobs(data: &Path) -> Vec<JobDirectory> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(data.join("jobs"))
        .into_iter()
        .flatten()
        .flatten()
    {
        match JobDirectory::open(&entry.path()) {
            Ok(Some(directory)) => {
                found.insert(directory.job.id.clone(), directory);
            }
            Ok(None) => {
                // It was being begun when the runner ended; the lease was never taken.
                let _ = std::fs::remove_dir_all(entry.path());
            }
            Err(error) => tracing::error!(
                path = %entry.path().display(), %error, "a job's directory can't be read; it is kept"
            ),
        }
    }
    found.into_values().collect()
}

/// The first signal ends the runner and leaves running steps to their supervisors; they are taken
/// up at the next start. A second one does not wait for anything.
async fn watch_signals(requests: mpsc::UnboundedSender<Request>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (terminate, interrupt) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        tracing::error!("signals can't be waited for");
        return;
    };
    let mut count = 0_u32;
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        count += 1;
        if count > 1 {
            std::process::exit(130);
        }
        tracing::info!("stopping: running steps go on and are taken up at the next start");
        let _ = requests.send(Request::Stop);
    }
}
