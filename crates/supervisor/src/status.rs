//! The step's status file, rewritten when something changed.

use std::path::Path;
use std::sync::Arc;

use step::{Status, files};

use crate::paths::{Durability, Root};

#[derive(Debug)]
pub(crate) struct StatusFile {
    root: Arc<Root>,
    written: Option<Status>,
    pub(crate) now: Status,
}

impl StatusFile {
    pub(crate) fn new(root: Arc<Root>) -> Self {
        Self {
            root,
            written: None,
            now: Status::default(),
        }
    }

    /// Writes it if it changed. Not being able to is no reason to end a step.
    pub(crate) fn publish(&mut self) {
        if self.written.as_ref() == Some(&self.now) {
            return;
        }
        let bytes = serde_json::to_vec(&self.now).unwrap_or_default();
        match self
            .root
            .replace(Path::new(files::STATUS), &bytes, Durability::SurvivesUs)
        {
            Ok(()) => self.written = Some(self.now.clone()),
            Err(error) => eprintln!("terrane-supervisor: the status can't be written: {error}"),
        }
    }
}
