//! The command line and its environment, checked as a whole: every mistake is named at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use domain::Secret;
use link::Transport;
use link::client::TransportChoice;
use link::join::JoinToken;
use url::Url;

use crate::executor::SandboxChoice;
use crate::release_keys::ReleaseKeys;
use crate::terraform_binary::Mirrors;

/// The exit code for a configuration that can't be used.
pub const BAD_CONFIGURATION: u8 = 64;

#[derive(Debug, Parser)]
#[command(
    name = "terrane-runner",
    version,
    about = "Runs jobs of a Terrane control plane."
)]
#[command(args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArguments,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lets the runner of a data directory finish what runs, and waits until it has ended.
    Drain {
        #[arg(long, env = "TERRANE_RUNNER_DATA_DIR")]
        data_dir: PathBuf,
    },
}

/// How to run. All optional here, so that everything that is missing can be named together.
#[derive(Debug, Default, Args)]
pub struct RunArguments {
    /// HOST:PORT of the gateway, for UDP and TCP.
    #[arg(long, env = "TERRANE_RUNNER_GATEWAY")]
    pub gateway: Option<String>,
    /// File with the pool's join token; needed until the runner is enrolled.
    #[arg(long, env = "TERRANE_RUNNER_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Name shown in the pool; the host's name by default.
    #[arg(long, env = "TERRANE_RUNNER_NAME")]
    pub name: Option<String>,
    /// Where identity, jobs and caches are kept.
    #[arg(long, env = "TERRANE_RUNNER_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// auto | docker | process
    #[arg(long, env = "TERRANE_RUNNER_EXECUTOR", default_value = "auto")]
    pub executor: String,
    /// Jobs at a time.
    #[arg(long, env = "TERRANE_RUNNER_CAPACITY", default_value = "5")]
    pub capacity: String,
    /// key=value, shown in the pool; may be given more than once.
    #[arg(long = "label", env = "TERRANE_RUNNER_LABELS", value_delimiter = ',')]
    pub labels: Vec<String>,
    /// auto | quic | tcp
    #[arg(long, env = "TERRANE_RUNNER_TRANSPORT", default_value = "auto")]
    pub transport: String,
    /// Image for jobs in docker that name none.
    #[arg(
        long,
        env = "TERRANE_RUNNER_IMAGE",
        default_value = "terrane-job:latest"
    )]
    pub image: String,
    /// auto | none | basic | strong
    #[arg(long, env = "TERRANE_RUNNER_SANDBOX", default_value = "auto")]
    pub sandbox: String,
    /// Directory of providers in mirror layout; what it holds comes from there alone.
    #[arg(long, env = "TERRANE_RUNNER_MIRROR")]
    pub mirror: Option<PathBuf>,
    /// Largest size of the provider cache in GiB; 0: no cache.
    #[arg(long, env = "TERRANE_RUNNER_PROVIDER_CACHE_GIB", default_value = "20")]
    pub provider_cache_gib: String,
    /// Registry whose providers are cached; may be given more than once.
    #[arg(
        long = "provider-cache-host",
        env = "TERRANE_RUNNER_PROVIDER_CACHE_HOSTS",
        value_delimiter = ',',
        default_values = ["registry.terraform.io", "registry.opentofu.org"]
    )]
    pub provider_cache_hosts: Vec<String>,
    /// Where terraform releases are downloaded from.
    #[arg(long, env = "TERRANE_RUNNER_TERRAFORM_MIRROR")]
    pub terraform_mirror: Option<String>,
    /// Where tofu releases are downloaded from.
    #[arg(long, env = "TERRANE_RUNNER_TOFU_MIRROR")]
    pub tofu_mirror: Option<String>,
    /// File of armoured OpenPGP keys that releases are signed with, instead of their makers' own.
    #[arg(long, env = "TERRANE_RUNNER_RELEASE_KEYS")]
    pub release_keys: Option<PathBuf>,
    /// The terrane-supervisor to use; the one beside this program by default.
    #[arg(long, env = "TERRANE_RUNNER_SUPERVISOR")]
    pub supervisor: Option<PathBuf>,
    /// Proxy for the gateway (over TCP) and for downloads.
    #[arg(long, env = "HTTPS_PROXY", hide_env_values = true)]
    pub https_proxy: Option<String>,
    /// Hosts that are reached without the proxy.
    #[arg(long, env = "NO_PROXY")]
    pub no_proxy: Option<String>,
    /// human | json
    #[arg(long, env = "TERRANE_RUNNER_LOG_FORMAT", default_value = "human")]
    pub log_format: String,
    /// For example: info,runner=debug
    #[arg(long, env = "TERRANE_RUNNER_LOG", default_value = "info")]
    pub log: String,
}

/// Which executor to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutorChoice {
    /// Docker if it is there with the image, else processes.
    Auto,
    Docker,
    Process,
}

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Config {
    pub gateway: String,
    pub token: Option<JoinToken>,
    pub name: String,
    pub data: PathBuf,
    pub executor: ExecutorChoice,
    pub capacity: u32,
    pub labels: BTreeMap<String, String>,
    pub transport: TransportChoice,
    pub image: String,
    pub sandbox: SandboxChoice,
    pub mirror: Option<PathBuf>,
    /// 0: no cache.
    pub provider_cache_bytes: u64,
    pub provider_cache_hosts: BTreeSet<String>,
    pub releases: Mirrors,
    pub supervisor: PathBuf,
    pub https_proxy: Option<Url>,
    pub no_proxy: Option<String>,
}

/// What the machine says where the command line is silent.
#[derive(Debug, Clone)]
pub struct Defaults {
    pub host_name: String,
    /// Where this program lies.
    pub beside: PathBuf,
}

impl RunArguments {
    /// Checks everything.
    ///
    /// # Errors
    /// Every mistake, one sentence each.
    pub fn check(&self, defaults: &Defaults) -> Result<Config, Vec<String>> {
        let mut mistakes = Mistakes::default();
        let data = mistakes.some(self.data_dir.clone(), "--data-dir is missing");
        let data = std::path::absolute(&data).unwrap_or(data);
        let enrolled = data.join("identity.json").exists();
        let gateway = mistakes.some(self.gateway.clone(), "--gateway HOST:PORT is missing");
        if !gateway.is_empty() && !is_host_and_port(&gateway) {
            mistakes.add(format!("--gateway must be HOST:PORT, not {gateway:?}"));
        }
        let config = Config {
            gateway,
            token: self.token(enrolled, &mut mistakes),
            name: self
                .name
                .clone()
                .unwrap_or_else(|| defaults.host_name.clone()),
            executor: mistakes.parsed("--executor", &self.executor, executor_choice),
            capacity: mistakes.parsed("--capacity", &self.capacity, capacity),
            labels: self.labels(&mut mistakes),
            transport: mistakes.parsed("--transport", &self.transport, transport_choice),
            image: self.image.clone(),
            sandbox: mistakes.parsed("--sandbox", &self.sandbox, |text| text.parse().ok()),
            mirror: self.mirror(&mut mistakes),
            provider_cache_bytes: mistakes.parsed(
                "--provider-cache-gib",
                &self.provider_cache_gib,
                gibibytes,
            ),
            provider_cache_hosts: self.provider_cache_hosts.iter().cloned().collect(),
            releases: Mirrors {
                terraform: mistakes.url("--terraform-mirror", self.terraform_mirror.as_deref()),
                tofu: mistakes.url("--tofu-mirror", self.tofu_mirror.as_deref()),
                keys: self.release_keys(&mut mistakes),
            },
            supervisor: self.supervisor(defaults, &mut mistakes),
            https_proxy: mistakes.url("HTTPS_PROXY", self.https_proxy.as_deref()),
            no_proxy: self.no_proxy.clone().filter(|text| !text.is_empty()),
            data,
        };
        if let Err(error) = telemetry::logs::check_filter(&self.log) {
            mistakes.add(format!("--log: {error}"));
        }
        if let Err(error) = self.log_format.parse::<telemetry::logs::Format>() {
            mistakes.add(format!("--log-format: {error}"));
        }
        if mistakes.0.is_empty() {
            Ok(config)
        } else {
            Err(mistakes.0)
        }
    }

    fn token(&self, enrolled: bool, mistakes: &mut Mistakes) -> Option<JoinToken> {
        let Some(path) = &self.token_file else {
            if !enrolled && self.data_dir.is_some() {
                mistakes.add("--token-file is missing, and this runner is not enrolled yet");
            }
            return None;
        };
        match std::fs::read_to_string(path).map(Secret::new) {
            Ok(text) => JoinToken::parse(text.expose())
                .map_err(|error| mistakes.add(format!("--token-file {}: {error}", path.display())))
                .ok(),
            Err(_) if enrolled => None,
            Err(error) => {
                mistakes.add(format!("--token-file {}: {error}", path.display()));
                None
            }
        }
    }

    fn labels(&self, mistakes: &mut Mistakes) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        for label in self.labels.iter().filter(|label| !label.is_empty()) {
            match label.split_once('=') {
                Some((key, value)) if !key.is_empty() => {
                    labels.insert(key.to_owned(), value.to_owned());
                }
                Some(_) | None => mistakes.add(format!("--label must be key=value, not {label:?}")),
            }
        }
        labels
    }

    fn mirror(&self, mistakes: &mut Mistakes) -> Option<PathBuf> {
        let path = self.mirror.as_deref()?;
        if !path.is_dir() {
            mistakes.add(format!("--mirror {} is no directory", path.display()));
        }
        std::path::absolute(path).ok()
    }

    fn release_keys(&self, mistakes: &mut Mistakes) -> Option<ReleaseKeys> {
        let path = self.release_keys.as_deref()?;
        let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
        let keys =
            read.and_then(|text| ReleaseKeys::parse(&text).map_err(|error| error.to_string()));
        keys.map_err(|error| mistakes.add(format!("--release-keys {}: {error}", path.display())))
            .ok()
    }

    fn supervisor(&self, defaults: &Defaults, mistakes: &mut Mistakes) -> PathBuf {
        let beside = || defaults.beside.join("terrane-supervisor");
        let path = self.supervisor.clone().unwrap_or_else(beside);
        if !path.is_file() {
            mistakes.add(format!(
                "terrane-supervisor is not at {}: put it beside terrane-runner or name it with \
                 --supervisor",
                path.display()
            ));
        }
        std::path::absolute(&path).unwrap_or(path)
    }
}

#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    fn add(&mut self, mistake: impl Into<String>) {
        self.0.push(mistake.into());
    }

    fn some<T: Default>(&mut self, value: Option<T>, missing: &str) -> T {
        value.unwrap_or_else(|| {
            self.add(missing);
            T::default()
        })
    }

    fn parsed<T: Fallback>(
        &mut self,
        option: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        parse(text).unwrap_or_else(|| {
            self.add(format!(
                "{option} can't be {text:?}; known are {}",
                T::KNOWN
            ));
            T::fallback()
        })
    }

    fn url(&mut self, option: &str, text: Option<&str>) -> Option<Url> {
        let text = text.filter(|text| !text.is_empty())?;
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
            // The text may hold a password.
            Ok(_) | Err(_) => {
                self.add(format!("{option} is no http or https URL"));
                None
            }
        }
    }
}

/// What is assumed while the other mistakes are looked for.
trait Fallback {
    const KNOWN: &'static str;
    fn fallback() -> Self;
}

impl Fallback for ExecutorChoice {
    const KNOWN: &'static str = "auto, docker, process";
    fn fallback() -> Self {
        Self::Auto
    }
}

impl Fallback for u32 {
    const KNOWN: &'static str = "numbers from 1 to 1000";
    fn fallback() -> Self {
        1
    }
}

impl Fallback for u64 {
    const KNOWN: &'static str = "whole numbers of GiB";
    fn fallback() -> Self {
        0
    }
}

impl Fallback for TransportChoice {
    const KNOWN: &'static str = "auto, quic, tcp";
    fn fallback() -> Self {
        Self::Auto
    }
}

impl Fallback for SandboxChoice {
    const KNOWN: &'static str = "auto, none, basic, strong";
    fn fallback() -> Self {
        Self::Auto
    }
}

fn executor_choice(text: &str) -> Option<ExecutorChoice> {
    match text {
        "auto" => Some(ExecutorChoice::Auto),
        "docker" => Some(ExecutorChoice::Docker),
        "process" => Some(ExecutorChoice::Process),
        _ => None,
    }
}

fn transport_choice(text: &str) -> Option<TransportChoice> {
    match text {
        "auto" => Some(TransportChoice::Auto),
        "quic" => Some(TransportChoice::Only(Transport::Quic)),
        "tcp" => Some(TransportChoice::Only(Transport::Tcp)),
        _ => None,
    }
}

fn capacity(text: &str) -> Option<u32> {
    text.parse().ok().filter(|it| (1..=1000).contains(it))
}

fn gibibytes(text: &str) -> Option<u64> {
    text.parse::<u64>().ok()?.checked_mul(1 << 30)
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// Defaults of this machine.
pub fn defaults() -> Defaults {
    let host_name = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    let program = std::env::current_exe().unwrap_or_default();
    Defaults {
        host_name: host_name.unwrap_or_else(|| "runner".to_owned()),
        beside: program
            .parent()
            .unwrap_or_else(|| Path::new("."))
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str]) -> Result<Config, Vec<String>> {
        let line = std::iter::once("terrane-runner").chain(arguments.iter().copied());
        let parsed = CommandLine::try_parse_from(line).unwrap();
        let defaults = Defaults {
            host_name: "h".into(),
            beside: "/nowhere".into(),
        };
        parsed.run.check(&defaults)
    }

    #[test]
    fn every_mistake_is_named() {
        let mistakes = check(&[
            "--gateway",
            "nowhere",
            "--executor",
            "lxc",
            "--capacity",
            "0",
            "--label",
            "x",
            "--mirror",
            "/does/not/exist",
            "--supervisor",
            "/does/not/exist/either",
        ])
        .unwrap_err();
        for part in [
            "--data-dir",
            "--gateway",
            "lxc",
            "--capacity",
            "--label",
            "--mirror",
            "supervisor",
        ] {
            assert!(
                mistakes.iter().any(|it| it.contains(part)),
                "{part}: {mistakes:?}"
            );
        }
    }

    #[test]
    fn a_good_one_passes() {
        let data = tempfile::tempdir().unwrap();
        let token = data.path().join("token");
        std::fs::write(&token, JoinToken::generate([1; 32]).to_text().expose()).unwrap();
        let supervisor = data.path().join("terrane-supervisor");
        std::fs::write(&supervisor, "").unwrap();
        let config = check(&[
            "--gateway",
            "gateway.example:8444",
            "--token-file",
            token.to_str().unwrap(),
            "--data-dir",
            data.path().to_str().unwrap(),
            "--supervisor",
            supervisor.to_str().unwrap(),
            "--label",
            "zone=a",
        ])
        .unwrap();
        assert_eq!((config.capacity, config.name.as_str()), (5, "h"));
        assert_eq!(config.labels["zone"], "a");
    }
}
