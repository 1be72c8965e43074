//! The flags of `terrane dev`, and the configuration they come to.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ca::DevCa;
use super::data_dir::DataDir;
use crate::cli::failure::Failure;
use crate::config::Layers;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Where everything is kept. Without it: `terrane` in the user's data directory
    /// (XDG_DATA_HOME, else ~/.local/share).
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address and port of API and sign-in; port 0 takes a free one [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<SocketAddr>,
    /// Address and port that runners dial, UDP and TCP [default: 127.0.0.1:8444]
    #[arg(long, value_name = "ADDRESS")]
    gateway: Option<SocketAddr>,
    /// Runners to start.
    #[arg(long, value_name = "N", default_value_t = 1)]
    runners: usize,
    /// How the runners execute jobs.
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) executor: Executor,
    /// Another database than the SQLite file in the data directory, as postgres://…
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Print one JSON object as the first line on stdout, when it can serve.
    #[arg(long)]
    pub(super) json: bool,
    /// Start no runner.
    #[arg(long)]
    no_runner: bool,
    /// Don't queue a run at the first start.
    #[arg(long)]
    pub(super) empty: bool,
    /// Also listen for plain HTTP on loopback, so that terraform needs no certificate.
    #[arg(long)]
    pub(super) http: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Executor {
    Auto,
    Docker,
    Process,
}

impl Executor {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Process => "process",
        }
    }
}

impl Arguments {
    pub(super) fn data_dir(&self) -> Result<DataDir, Failure> {
        let path = match &self.data_dir {
            Some(path) => path.clone(),
            None => users_data_dir().ok_or_else(|| {
                Failure::new("there is no home directory: say where to keep data, with --data-dir")
            })?,
        };
        let path = std::path::absolute(&path).map_err(|error| {
            Failure::failed(&format!("{} can't be used", path.display()), error)
        })?;
        Ok(DataDir::new(path))
    }

    /// How many runners to start.
    pub(super) fn runners(&self) -> usize {
        if self.no_runner { 0 } else { self.runners }
    }

    /// The configuration: what `dev` stands for, under the environment, under these flags.
    pub(super) fn layers(&self, data: &DataDir, ca: &DevCa) -> Layers {
        let text = |path: PathBuf| path.display().to_string();
        let files = ca.server_files();
        let mut layers = Layers::new()
            .default_value("data_dir", text(data.path().to_owned()))
            .default_value("server.listen", "127.0.0.1:8443")
            .default_value("server.public_url", "https://localhost/")
            .default_value("server.tls_certificate_file", text(files.certificate))
            .default_value("server.tls_key_file", text(files.key))
            .default_value("server.drain_seconds", "5")
            .default_value("admin.listen", "127.0.0.1:0")
            .default_value("gateway.listen", "127.0.0.1:8444")
            .default_value("keys.installation_key_file", text(data.installation_key()))
            .environment(std::env::vars());
        let flags = [
            ("server.listen", self.listen.map(|it| it.to_string())),
            ("gateway.listen", self.gateway.map(|it| it.to_string())),
            ("database.url", self.database.clone()),
        ];
        for (setting, value) in flags {
            if let Some(value) = value {
                layers = layers.flag(setting, value);
            }
        }
        layers
    }
}

fn users_data_dir() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let data = set("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/share")))?;
    Some(data.join("terrane"))
}
