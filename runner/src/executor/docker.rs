//! Steps as containers.
//!
//! The supervisor is the container's first process; terraform and the supervisor are mounted
//! read-only into whatever image the job names, and the step directory lies at the same path inside
//! and outside, because terraform writes absolute paths into links. The daemon removes nothing by
//! itself: a container that ended while the runner was away must still say how.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, IpamConfig};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptionsBuilder, InspectContainerOptions,
    InspectNetworkOptions, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions,
};
use futures::StreamExt;
use protocol::v1::ExecutionSettings;
use step::Sandbox;

use super::{Answer, Execution, Executor, ExecutorError, SandboxLevel, Start, Surroundings};
use crate::firewall::{Firewall, Whom};
use crate::job::StepDir;
use crate::machine::{Machine, SEARCH_PATH};

const JOB: &str = "terrane.job";
const RUN: &str = "terrane.run";
const RUNNER: &str = "terrane.runner";
/// The user of a step when the runner is root; else it is the runner's own.
const USER: u32 = 65_532;
const MEMORY: u64 = 2 << 30;
const PROCESSES: u64 = 512;
const DEFAULT_NETWORK: &str = "bridge";
const ANSWER: Duration = Duration::from_secs(3);
const PULL: Duration = Duration::from_secs(300);

/// The executor of containers.
pub struct DockerExecutor {
    docker: Docker,
    supervisor: PathBuf,
    image: String,
    /// Marks this runner's containers.
    runner: String,
    machine: Machine,
    /// There if it keeps containers in the default network from the metadata address.
    firewall: Option<Firewall>,
}

impl DockerExecutor {
    /// Connects to the daemon and sees to it that the default image is there.
    ///
    /// # Errors
    /// A sentence for people: no daemon, or no image.
    pub async fn connect(
        supervisor: PathBuf,
        image: String,
        runner: String,
        machine: Machine,
    ) -> Result<Self, String> {
        let docker = Docker::connect_with_socket_defaults().map_err(|error| error.to_string())?;
        match tokio::time::timeout(ANSWER, docker.ping()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(format!("the daemon does not answer: {error}")),
            Err(_) => return Err("the daemon does not answer".to_owned()),
        }
        let it = Self {
            docker,
            supervisor,
            image,
            runner,
            machine,
            firewall: None,
        };
        it.provide(&it.image)
            .await
            .map_err(|error| error.to_string())?;
        Ok(it)
    }

    /// Keeps containers from the metadata address, if this machine can do that.
    ///
    /// # Errors
    /// A sentence for people; containers then reach the address.
    pub async fn keep_from_metadata(&mut self, firewall: Firewall) -> Result<(), String> {
        let firewall = self.firewall.insert(firewall);
        let users = Whom::Users(USER..USER + 1);
        let shared = firewall.keep_away(&users).await;
        let default = match shared {
            Ok(()) => self.cut_off(DEFAULT_NETWORK).await,
            Err(error) => Err(ExecutorError::Refused(error.to_string())),
        };
        default.map_err(|error| {
            self.firewall = None;
            error.to_string()
        })
    }

    /// Whether containers in the default network can't reach the metadata address.
    pub fn keeps_from_metadata(&self) -> bool {
        self.firewall.is_some()
    }

    /// Keeps what is in a network from the metadata address.
    async fn cut_off(&self, network: &str) -> Result<(), ExecutorError> {
        let Some(firewall) = &self.firewall else {
            return Err(ExecutorError::reachable_metadata());
        };
        let kept = match network {
            "none" => return Ok(()),
            // What is in the machine's own network is known by its user.
            "host" if self.machine.is_root => {
                firewall.keep_away(&Whom::Users(USER..USER + 1)).await
            }
            named => {
                let name = if named.is_empty() {
                    DEFAULT_NETWORK
                } else {
                    named
                };
                let bridge = self.bridge_of(name).await?;
                firewall.keep_away(&Whom::Bridge(&bridge)).await
            }
        };
        kept.map_err(|error| ExecutorError::Refused(error.to_string()))
    }

    /// The interface of this machine that a network's containers send through.
    async fn bridge_of(&self, network: &str) -> Result<String, ExecutorError> {
        let seen = self
            .docker
            .inspect_network(network, None::<InspectNetworkOptions>)
            .await
            .map_err(failed("looking at the network"))?;
        if seen.driver.as_deref() != Some("bridge") {
            return Err(ExecutorError::Refused(format!(
                "the network {network} is no bridge, so its packets can't be filtered here"
            )));
        }
        let named = seen
            .options
            .and_then(|options| options.get("com.docker.network.bridge.name").cloned());
        let id = seen.id.unwrap_or_default();
        let name = named.unwrap_or_else(|| format!("br-{}", id.get(..12).unwrap_or(&id)));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(ExecutorError::Refused(format!(
                "the bridge of the network {network} has no usable name"
            )));
        }
        Ok(name)
    }

    /// Pulls an image unless it is there.
    async fn provide(&self, image: &str) -> Result<(), ExecutorError> {
        if self.docker.inspect_image(image).await.is_ok() {
            return Ok(());
        }
        tracing::info!(image, "pulling");
        let options = CreateImageOptionsBuilder::default()
            .from_image(image)
            .build();
        let mut events = self.docker.create_image(Some(options), None, None);
        let pulled = async {
            while let Some(event) = events.next().await {
                event.map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        let reason = match tokio::time::timeout(PULL, pulled).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(reason)) => reason,
            Err(_) => "it took too long".to_owned(),
        };
        Err(ExecutorError::Refused(format!(
            "the image {image} is not there and can't be pulled: {reason}"
        )))
    }

    fn user(&self) -> (u32, u32) {
        if self.machine.is_root {
            return (USER, USER);
        }
        (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        )
    }

    fn body(&self, start: &Start) -> ContainerCreateBody {
        let step = start.step.path().to_string_lossy().into_owned();
        let supervisor = self.supervisor.to_string_lossy().into_owned();
        let (uid, gid) = self.user();
        ContainerCreateBody {
            image: Some(self.image_of(start).to_owned()),
            entrypoint: Some(vec![supervisor.clone()]),
            cmd: Some(vec![step.clone()]),
            user: Some(format!("{uid}:{gid}")),
            working_dir: Some(step.clone()),
            env: Some(vec![format!("PATH={SEARCH_PATH}")]),
            labels: Some(HashMap::from([
                (JOB.to_owned(), start.job_id.clone()),
                (RUN.to_owned(), start.run_id.clone()),
                (RUNNER.to_owned(), self.runner.clone()),
            ])),
            // Stopping a step takes as long as its slowest operation.
            stop_timeout: Some(3600),
            host_config: Some(self.host_config(start, &step, &supervisor)),
            ..ContainerCreateBody::default()
        }
    }

    fn host_config(&self, start: &Start, step: &str, supervisor: &str) -> HostConfig {
        let memory = i64::try_from(memory_of(start)).ok();
        let read_only = start
            .read_only
            .iter()
            .map(|path| path.to_string_lossy().into_owned());
        let read_only = read_only.chain([supervisor.to_owned()]);
        let mut binds: Vec<String> = read_only.map(|path| format!("{path}:{path}:ro")).collect();
        binds.push(format!("{step}:{step}:rw"));
        let network = start.settings.network.as_str();
        HostConfig {
            binds: Some(binds),
            memory,
            memory_swap: memory,
            nano_cpus: (start.settings.cpu_millis > 0)
                .then(|| i64::from(start.settings.cpu_millis) * 1_000_000),
            pids_limit: i64::try_from(processes_of(start)).ok(),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
            network_mode: (!network.is_empty()).then(|| network.to_owned()),
            init: Some(false),
            tmpfs: Some(HashMap::from([(
                "/tmp".to_owned(),
                "rw,exec,nosuid,nodev,mode=1777".to_owned(),
            )])),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(HashMap::from([
                    ("max-size".to_owned(), "1m".to_owned()),
                    ("max-file".to_owned(), "1".to_owned()),
                ])),
            }),
            ..HostConfig::default()
        }
    }

    fn image_of<'a>(&'a self, start: &'a Start) -> &'a str {
        if start.settings.image.is_empty() {
            &self.image
        } else {
            &start.settings.image
        }
    }

    async fn remove_container(&self, container: &str) -> Result<(), ExecutorError> {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        match self.docker.remove_container(container, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if is_status(&error, 404) => Ok(()),
            Err(error) => Err(failed("removing the container")(error)),
        }
    }
}

fn memory_of(start: &Start) -> u64 {
    if start.settings.memory_bytes == 0 {
        MEMORY
    } else {
        start.settings.memory_bytes
    }
}

fn processes_of(start: &Start) -> u64 {
    match start.settings.process_limit {
        0 => PROCESSES,
        asked => asked.into(),
    }
}

impl Executor for DockerExecutor {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn surroundings(&self, start: &Start) -> Result<Surroundings, ExecutorError> {
        let wanted: SandboxLevel = start
            .settings
            .minimum_sandbox
            .parse()
            .map_err(ExecutorError::Refused)?;
        let full = self.machine.landlock && self.machine.seccomp;
        if wanted == SandboxLevel::Strong && !full {
            return Err(ExecutorError::Refused(format!(
                "the pool demands a strong sandbox and this machine lacks {}",
                self.machine.what_is_missing()
            )));
        }
        if start.settings.refuse_reachable_metadata && self.firewall.is_none() {
            return Err(ExecutorError::reachable_metadata());
        }
        Ok(Surroundings {
            sandbox: Sandbox {
                landlock: self.machine.landlock,
                seccomp: self.machine.seccomp,
                rlimits: true,
                read_only: start.read_only.clone(),
                ..Sandbox::default()
            },
            owner: self.machine.is_root.then(|| self.user()),
            memory_bytes: memory_of(start),
            // The container's own limit counts what is in it; the user may be shared.
            processes: 0,
            path: SEARCH_PATH.to_owned(),
            terraform: None,
        })
    }

    /// The host's own address in the container's network.
    fn meeting_point<'a>(&'a self, settings: &'a ExecutionSettings) -> Answer<'a, Option<IpAddr>> {
        Box::pin(async move {
            let network = match settings.network.as_str() {
                "none" => return Ok(None),
                "host" => return Ok(Some(IpAddr::V4(Ipv4Addr::LOCALHOST))),
                "" => DEFAULT_NETWORK,
                named => named,
            };
            let seen = self
                .docker
                .inspect_network(network, None::<InspectNetworkOptions>)
                .await
                .map_err(failed("looking at the network"))?;
            let pools = seen.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
            Ok(pools.iter().find_map(host_address))
        })
    }

    fn start<'a>(&'a self, start: &'a Start) -> Answer<'a, Execution> {
        Box::pin(async move {
            self.provide(self.image_of(start)).await?;
            if let Err(error) = self.cut_off(&start.settings.network).await {
                if start.settings.refuse_reachable_metadata {
                    return Err(error);
                }
                if self.firewall.is_some() {
                    tracing::warn!(job = %start.job_id, %error, "the metadata address is in reach");
                }
            }
            let made = self
                .docker
                .create_container(None::<CreateContainerOptions>, self.body(start))
                .await
                .map_err(failed("making the container"))?;
            let started = self
                .docker
                .start_container(&made.id, None::<StartContainerOptions>)
                .await;
            if let Err(error) = started {
                self.remove_container(&made.id).await?;
                return Err(failed("starting the container")(error));
            }
            Ok(Execution::Docker { container: made.id })
        })
    }

    fn never_began<'a>(
        &'a self,
        execution: &'a Execution,
        _: &'a StepDir,
    ) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let Execution::Docker { container } = execution else {
                return Ok(None);
            };
            let seen = self
                .docker
                .inspect_container(container, None::<InspectContainerOptions>)
                .await
                .map_err(failed("looking at the container"))?;
            let state = seen.state.unwrap_or_default();
            let is_over = state.running == Some(false);
            Ok(is_over.then(|| {
                let code = state.exit_code.unwrap_or_default();
                let said = state.error.unwrap_or_default();
                format!("The container ended before its supervisor began (code {code}). {said}")
            }))
        })
    }

    fn ended_for_memory<'a>(&'a self, _: &'a str, execution: &'a Execution) -> Answer<'a, bool> {
        Box::pin(async move {
            let Execution::Docker { container } = execution else {
                return Ok(false);
            };
            let seen = self
                .docker
                .inspect_container(container, None::<InspectContainerOptions>)
                .await
                .map_err(failed("looking at the container"))?;
            Ok(seen
                .state
                .and_then(|state| state.oom_killed)
                .unwrap_or(false))
        })
    }

    fn found(&self, _execution: &Execution) {}

    fn remove<'a>(&'a self, job_id: &'a str, _: Option<&'a Execution>) -> Answer<'a, ()> {
        Box::pin(async move {
            let labels = vec![
                format!("{JOB}={job_id}"),
                format!("{RUNNER}={}", self.runner),
            ];
            let filters = HashMap::from([("label".to_owned(), labels)]);
            let options = ListContainersOptionsBuilder::default()
                .all(true)
                .filters(&filters)
                .build();
            let found = self
                .docker
                .list_containers(Some(options))
                .await
                .map_err(failed("listing containers"))?;
            for container in found.into_iter().filter_map(|it| it.id) {
                self.remove_container(&container).await?;
            }
            Ok(())
        })
    }
}

/// The host's address in a network. An older daemon does not name the gateway of its default
/// network: it is the first address of the subnet then.
fn host_address(pool: &IpamConfig) -> Option<IpAddr> {
    if let Some(gateway) = &pool.gateway {
        return gateway.parse().ok();
    }
    let (network, _) = pool.subnet.as_ref()?.split_once('/')?;
    let network: Ipv4Addr = network.parse().ok()?;
    Some(IpAddr::V4(Ipv4Addr::from_bits(network.to_bits() + 1)))
}

fn failed(what: &'static str) -> impl FnOnce(bollard::errors::Error) -> ExecutorError {
    move |error| ExecutorError::Docker {
        what,
        reason: error.to_string(),
    }
}

fn is_status(error: &bollard::errors::Error, status: u16) -> bool {
    matches!(
        error,
        bollard::errors::Error::DockerResponseServerError { status_code, .. }
            if *status_code == status
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_found_with_and_without_a_gateway() {
        let pool = |gateway: Option<&str>| IpamConfig {
            subnet: Some("172.17.0.0/16".into()),
            gateway: gateway.map(Into::into),
            ..IpamConfig::default()
        };
        let found = |gateway| host_address(&pool(gateway)).unwrap().to_string();
        assert_eq!(found(None), "172.17.0.1");
        assert_eq!(found(Some("172.17.0.9")), "172.17.0.9");
    }
}
