//! The three places that values come from.

use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Tag, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

const PREFIX: &str = "TERRANE__";

/// Where the configuration comes from, lowest first: defaults of the command, file, environment,
/// flags.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    defaults: Vec<(String, String)>,
    file: Option<PathBuf>,
    environment: Vec<(String, String)>,
    flags: Vec<(String, String)>,
}

impl Layers {
    pub fn new() -> Self {
        Self::default()
    }

    /// A value that the command brings along, in place of the setting's own default.
    #[must_use]
    pub fn default_value(mut self, setting: &str, value: impl Into<String>) -> Self {
        self.defaults.push((setting.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Takes the variables that begin with `TERRANE__`.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment = variables
            .into_iter()
            .filter_map(|(name, value)| Some((setting_of(&name)?, value)))
            .collect();
        self.environment.sort();
        self
    }

    /// A value from the command line.
    #[must_use]
    pub fn flag(mut self, setting: &str, value: impl Into<String>) -> Self {
        self.flags.push((setting.to_owned(), value.into()));
        self
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    pub(super) fn merged(&self) -> Figment {
        let mut figment = Figment::from(Texts {
            name: "the command's defaults",
            values: &self.defaults,
        });
        if let Some(path) = &self.file {
            figment = figment.merge(Toml::file_exact(path));
        }
        figment
            .merge(Texts {
                name: "the environment",
                values: &self.environment,
            })
            .merge(Texts {
                name: "the command line",
                values: &self.flags,
            })
    }
}

/// `TERRANE__SERVER__LISTEN` → `server.listen`.
fn setting_of(variable: &str) -> Option<String> {
    Some(
        variable
            .strip_prefix(PREFIX)?
            .to_lowercase()
            .replace("__", "."),
    )
}

/// `server.listen` → `TERRANE__SERVER__LISTEN`.
pub(super) fn variable_of(setting: &str) -> String {
    format!("{PREFIX}{}", setting.to_uppercase().replace('.', "__"))
}

/// Values that are all text; the type of the setting reads them. (The environment provider of the
/// configuration crate guesses types, and makes a number of a password that looks like one.)
struct Texts<'a> {
    name: &'static str,
    values: &'a [(String, String)],
}

impl Provider for Texts<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut top = Dict::new();
        for (setting, text) in self.values {
            insert(&mut top, setting, text);
        }
        Ok(Profile::Default.collect(top))
    }
}

fn insert(dict: &mut Dict, setting: &str, text: &str) {
    match setting.split_once('.') {
        None => {
            dict.insert(
                setting.to_owned(),
                Value::String(Tag::Default, text.to_owned()),
            );
        }
        Some((section, rest)) => {
            let inner = dict
                .entry(section.to_owned())
                .or_insert_with(|| Value::Dict(Tag::Default, Dict::new()));
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_settings_name_each_other() {
        assert_eq!(
            setting_of("TERRANE__SERVER__LISTEN").unwrap(),
            "server.listen"
        );
        assert_eq!(setting_of("TERRANE__DATA_DIR").unwrap(), "data_dir");
        assert_eq!(setting_of("PATH"), None);
        assert_eq!(
            variable_of("blobs.access_key_id"),
            "TERRANE__BLOBS__ACCESS_KEY_ID"
        );
    }
}
