//! Which installation a command of the operator's is about: one with a configuration file, or the
//! data directory of a `terrane dev`.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::serve::ConfigFile;
use crate::backup::SmallFiles;
use crate::config::{Config, Layers};

#[derive(Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    config: ConfigFile,
    /// The data directory of a `terrane dev`, instead of a configuration file. Its key is expected
    /// in `installation.key` there.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data_dir: Option<PathBuf>,
}

impl Place {
    /// What a `terrane dev` keeps beside database and objects, if it is one.
    pub(super) fn dev_files(&self) -> Option<SmallFiles<'_>> {
        self.data_dir.as_deref().map(|directory| SmallFiles {
            directory,
            names: super::dev::KEPT,
        })
    }

    /// # Errors
    /// Every mistake in file and environment.
    pub(super) fn load(&self) -> Result<Config, Failure> {
        let Some(directory) = &self.data_dir else {
            return self.config.load();
        };
        let text = |path: PathBuf| path.display().to_string();
        let layers = Layers::new()
            .default_value("data_dir", text(directory.clone()))
            .default_value("server.public_url", "https://localhost/")
            .default_value("server.http_only", "true")
            .default_value(
                "keys.installation_key_file",
                text(directory.join("installation.key")),
            )
            .environment(std::env::vars());
        Ok(Config::load(&layers)?)
    }
}
