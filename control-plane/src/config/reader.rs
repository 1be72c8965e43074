//! Reads settings one by one out of the merged layers, and notes what is wrong with them.

use std::fs;
use std::path::PathBuf;

use domain::Secret;
use figment::Figment;
use figment::value::{Dict, Value};

use super::layers::{Layers, variable_of};
use super::setting::{Section, Shape, path};
use super::{Config, Mistake};

/// A file that holds a secret is longer only by mistake.
const LONGEST_SECRET: u64 = 64 * 1024;

pub(super) struct Reader {
    merged: Figment,
    data: Dict,
    mistakes: Vec<Mistake>,
}

impl Reader {
    pub(super) fn new(layers: &Layers) -> Self {
        let merged = layers.merged();
        let mut reader = Self {
            data: Dict::new(),
            mistakes: Vec::new(),
            merged,
        };
        match reader.merged.extract::<Dict>() {
            Ok(data) => reader.data = data,
            Err(error) => {
                let file = layers.path().map(|path| path.display().to_string());
                for error in error {
                    reader.mistakes.push(Mistake {
                        setting: String::new(),
                        origin: file.clone(),
                        problem: error.kind.to_string(),
                    });
                }
            }
        }
        reader
    }

    pub(super) fn value(&self, setting: &str) -> Option<Value> {
        let mut dict = &self.data;
        let mut parts = setting.split('.').peekable();
        while let Some(part) = parts.next() {
            let value = dict.get(part)?;
            if parts.peek().is_none() {
                return Some(value.clone());
            }
            dict = value.as_dict()?;
        }
        None
    }

    /// Notes a mistake in one setting.
    pub(super) fn mistake(&mut self, setting: &str, problem: impl Into<String>) {
        let origin = self.origin(setting);
        self.mistakes.push(Mistake {
            setting: setting.to_owned(),
            origin,
            problem: problem.into(),
        });
    }

    /// A secret: the setting itself, or the file that `SETTING_file` names.
    pub(super) fn secret(&mut self, setting: &str) -> Result<Option<Secret>, ()> {
        let file_setting = format!("{setting}_file");
        let direct = self.value(setting);
        let file = self.value(&file_setting);
        match (direct, file) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                self.mistake(
                    setting,
                    format!("set either this or {file_setting}, not both"),
                );
                Err(())
            }
            (Some(value), None) => match value.as_str() {
                Some("") => {
                    self.mistake(setting, "must not be empty");
                    Err(())
                }
                Some(text) => Ok(Some(Secret::new(text.to_owned()))),
                None => {
                    self.mistake(setting, "must be text");
                    Err(())
                }
            },
            (None, Some(value)) => match value.as_str() {
                Some(path) => self
                    .secret_file(&file_setting, PathBuf::from(path))
                    .map(Some),
                None => {
                    self.mistake(&file_setting, "must be the name of a file");
                    Err(())
                }
            },
        }
    }

    fn secret_file(&mut self, setting: &str, path: PathBuf) -> Result<Secret, ()> {
        let problem = match fs::metadata(&path) {
            Ok(metadata) if metadata.len() > LONGEST_SECRET => {
                "is too long for a secret".to_owned()
            }
            Ok(_) => match fs::read_to_string(&path) {
                Ok(text) if text.trim_end().is_empty() => "is empty".to_owned(),
                Ok(text) => return Ok(Secret::new(text.trim_end().to_owned())),
                Err(error) => format!("can't be read: {error}"),
            },
            Err(error) => format!("can't be read: {error}"),
        };
        self.mistake(setting, format!("the file {} {problem}", path.display()));
        Err(())
    }

    /// Notes every key that no setting answers to: most are misspelt, and would silently do nothing.
    pub(super) fn refuse_unknown_keys(&mut self) {
        for (key, value) in self.data.clone() {
            let section = Config::SECTIONS
                .iter()
                .find(|it| it.name == key && !key.is_empty());
            match (section, value.as_dict()) {
                (Some(section), Some(inner)) => {
                    for key in inner.keys().filter(|key| !knows(section, key)) {
                        self.unknown(&path(section.name, key), Some(section));
                    }
                }
                (Some(_), None) => self.mistake(&key, "is a section, not a value"),
                (None, _) => {
                    let top = Config::SECTIONS.iter().find(|it| it.name.is_empty());
                    if !top.is_some_and(|top| knows(top, &key)) {
                        self.unknown(&key, None);
                    }
                }
            }
        }
    }

    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }

    fn unknown(&mut self, setting: &str, section: Option<&Section>) {
        let problem = match section {
            Some(section) => {
                let known: Vec<&str> = section.settings.iter().map(|it| it.key).collect();
                format!(
                    "there is no such setting; [{}] has {}",
                    section.name,
                    known.join(", ")
                )
            }
            None => {
                let known: Vec<&str> = Config::SECTIONS.iter().map(|it| it.name).collect();
                let known = known.join(", ");
                format!(
                    "there is no such section; known are {}",
                    known.trim_start_matches(", ")
                )
            }
        };
        self.mistake(setting, problem);
    }

    fn origin(&self, setting: &str) -> Option<String> {
        let metadata = self.merged.find_metadata(setting)?;
        if metadata.name == "the environment" {
            return Some(format!("the environment variable {}", variable_of(setting)));
        }
        match metadata
            .source
            .as_ref()
            .and_then(figment::Source::file_path)
        {
            Some(path) => Some(path.display().to_string()),
            None => Some(metadata.name.clone().into_owned()),
        }
    }
}

fn knows(section: &Section, key: &str) -> bool {
    section.settings.iter().any(|it| {
        it.key == key
            || (it.shape == Shape::Secret && key.strip_suffix("_file").is_some_and(|k| k == it.key))
    })
}
