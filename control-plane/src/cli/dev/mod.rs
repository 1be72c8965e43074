//! `terrane dev`: everything behind one command, for one person.
//!
//! It is `serve` with another configuration, plus what a person would otherwise do by hand: keys,
//! certificates, the first account, a runner, a configuration file for terraform. Nothing in the
//! product is made easier for it: the runner joins through the real gateway, terraform talks HTTPS.

mod arguments;
mod ca;
mod data_dir;
mod example;
mod first_start;
#[cfg(target_os = "linux")]
mod left_over;
mod private_file;
mod report;
mod runner_process;
mod runners;
mod terraform_rc;

use std::fs::File;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;
use vault::InstallationKey;

pub(super) use arguments::Arguments;
pub(super) use data_dir::KEPT;

use ca::DevCa;
use data_dir::DataDir;
use report::{Addresses, Facts};

use super::failure::Failure;
use super::process::{self, Process};
use super::{installation, say};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::serve::Listener;
use crate::supervise::Wake;

/// How often the certificate's age is looked at.
const CA_PERIOD: Duration = Duration::from_secs(3600);

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let clock = Clock::System;
    let data = arguments.data_dir()?;
    let _lock = prepare(&data)?;
    let ca = DevCa::new(data.ca());
    ca.ensure(clock.now())
        .map_err(|error| Failure::failed("the CA can't be made", error))?;
    let config = Config::load(&arguments.layers(&data, &ca))?;
    telemetry::logs::init(config.log.format, &config.log.filter)?;

    let process = Process::bind(&config, clock.clone())?;
    let plain = arguments.http.then(bind_plain).transpose()?;
    let host = format!("localhost:{}", process.public_address().port());
    let plain_url = plain
        .as_ref()
        .map(|it| loopback_url("http", it.local_address().port()));
    let https_url = loopback_url("https", process.public_address().port());
    // Signed URLs lead where terraform can follow without a certificate.
    let public_url = plain_url.clone().unwrap_or_else(|| https_url.clone());
    let app = installation::open(&config, public_url, clock.clone()).await?;
    let gateway = process::gateway(&config, &app).await?;
    let first = first_start::ensure(&app, gateway.authority(), &data).await?;
    let rc = terraform_rc::contents(&host, &first.token, plain_url.as_ref().map(Url::as_str));
    private_file::write(&data.cli_config(), rc.expose().as_bytes())
        .map_err(|error| Failure::failed("terraform.rc can't be written", error))?;

    let tasks = process.tasks();
    let addresses = Addresses {
        public: https_url,
        gateway: runners::dialable(gateway.local_address()),
        admin: process.admin_address(),
    };
    let running = process.start(&config, &app, gateway, plain).await?;
    renew_certificate(&tasks, ca.clone(), clock);
    let runner_pids = runners::start(&tasks, &arguments, &data, addresses.gateway).await?;

    let facts = Facts::new(&data, &ca, &first, &addresses, runner_pids);
    report::say(&facts, &arguments, first.is_new, began.elapsed());
    if first.is_new && !arguments.empty {
        queue_example(&app).await;
    }
    let ending = running.until_the_end(app).await;
    Ok(ending.exit_code().into())
}

/// Makes the directory and the installation key, and takes the directory for this process.
fn prepare(data: &DataDir) -> Result<File, Failure> {
    let unusable =
        |error| Failure::failed(&format!("{} can't be used", data.path().display()), error);
    private_file::passable_directory(data.path()).map_err(unusable)?;
    let lock = File::create(data.lock()).map_err(unusable)?;
    if lock.try_lock().is_err() {
        let place = data.path().display();
        return Err(Failure::new(format!(
            "another `terrane dev` works on {place}"
        )));
    }
    // SQLite gives its file, and those beside it, the mode it finds.
    private_file::touch(&data.database()).map_err(unusable)?;
    let key_file = data.installation_key();
    if !key_file.exists() {
        let key = InstallationKey::generate().to_text();
        private_file::write(&key_file, key.expose().as_bytes()).map_err(unusable)?;
        say::note(&format!(
            "!!! {} opens everything that is stored here. Lose it, and every state is lost:\n\
             !!! keep a copy of it in another place.",
            key_file.display()
        ));
    }
    Ok(lock)
}

/// An installation without the example is as good: that it can't be queued is only said.
async fn queue_example(app: &App) {
    if let Err(failure) = example::queue(app).await {
        tracing::warn!("{failure}");
    }
}

fn bind_plain() -> Result<Listener, Failure> {
    Ok(Listener::bind(
        "plain",
        (std::net::Ipv4Addr::LOCALHOST, 0).into(),
    )?)
}

fn loopback_url(scheme: &str, port: u16) -> Url {
    // Built from a scheme, a name and a number, this can't fail.
    Url::parse(&format!("{scheme}://localhost:{port}/")).expect("a URL")
}

fn renew_certificate(tasks: &crate::supervise::Tasks, ca: DevCa, clock: Clock) {
    tasks.reconciler("dev.certificate", CA_PERIOD, Wake::new(), move || {
        let (ca, now) = (ca.clone(), clock.now());
        async move { ca.ensure(now) }
    });
}
