//! What an operator can set, and where each value comes from.
//!
//! A TOML file, under environment variables `TERRANE__SECTION__KEY`, under the flags of the command
//! line. Reading is a pure function of these three; nothing else in the program looks at the
//! environment. All mistakes are listed at once, because an operator who fixes one, waits for a
//! restart and meets the next has been served badly.
//!
//! Every setting is defined once, in [`sections`], with its documentation; `docs/configuration.md`
//! is generated from there. Decided against serde structs: serde stops at the first mistake.

mod documentation;
mod layers;
mod reader;
pub mod sections;
mod setting;
mod validate;
mod values;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

pub use documentation::page as documentation;
pub use layers::Layers;
pub use sections::Config;
pub use values::{AddressRange, BlobKind, Url};

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// `section.key`; empty when a whole layer can't be read.
    pub setting: String,
    /// Where the value came from, if it came from anywhere.
    pub origin: Option<String>,
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        f.write_str(&self.problem)?;
        match &self.origin {
            Some(origin) => write!(f, " (in {origin})"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "the configuration has {count} {noun}:")?;
        for mistake in &self.0 {
            write!(f, "\n  - {mistake}")?;
        }
        write!(f, "\nEvery setting is explained in docs/configuration.md.")
    }
}

impl std::error::Error for Mistakes {}

impl Config {
    /// Reads and checks a configuration. Also reads the files that `…_file` settings name.
    ///
    /// # Errors
    /// All mistakes in all layers.
    pub fn load(layers: &Layers) -> Result<Self, Mistakes> {
        let mut reader = reader::Reader::new(layers);
        let config = Self::read(&mut reader);
        reader.refuse_unknown_keys();
        if let Some(config) = &config {
            validate::check(config, &mut reader);
        }
        let mistakes = reader.into_mistakes();
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(Mistakes(mistakes)),
        }
    }

    /// The database: as set, else a SQLite file in the data directory.
    pub fn database_url(&self) -> domain::Secret {
        self.database.url.clone().unwrap_or_else(|| {
            let file = self.data_dir().join("terrane.db");
            domain::Secret::new(format!("sqlite://{}", file.display()))
        })
    }

    /// The directory of the blobs: as set, else inside the data directory.
    pub fn blob_directory(&self) -> PathBuf {
        self.blobs
            .directory
            .clone()
            .unwrap_or_else(|| self.data_dir().join("blobs"))
    }

    pub fn data_dir(&self) -> &Path {
        &self.general.data_dir
    }
}
