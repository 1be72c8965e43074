//! What is kept of a job on disk, so that it can be taken up again after a restart.
//!
//! `DIR/jobs/JOB/`: `job.json` ([`Record`]), `job.pb` (the job as it was leased, with its secrets:
//! readable by the runner alone), `step/` (the step directory, the only part the step can reach).

use std::io;
use std::path::{Path, PathBuf};

use prost::Message;
use protocol::v1::Job;
use serde::{Deserialize, Serialize};
use step::StateMode;

use super::StepDir;
use crate::executor::Execution;
use crate::files;
use crate::relay::RelayAddress;

const RECORD: &str = "job.json";
const JOB: &str = "job.pb";
const STEP: &str = "step";

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing has been started; can be begun anew.
    Preparing,
    /// A supervisor has been started, or was just about to be.
    Running,
    /// Nothing runs any more; uploads and the report are due.
    Finishing,
    /// The control plane has the report, or wants nothing more.
    Over,
}

/// What a restart needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub stage: Stage,
    /// The step's commands, in order; empty until prepared.
    pub commands: Vec<String>,
    pub terraform_version: String,
    pub state_mode: Option<StateMode>,
    /// Relative to the step directory.
    pub state_file: Option<PathBuf>,
    /// terraform's working directory, relative to the step directory.
    pub working_directory: PathBuf,
    pub execution: Option<Execution>,
    /// Where the step reaches the control plane through the runner.
    #[serde(default)]
    pub relay: Option<RelayAddress>,
    /// Why the job failed before or beside its step; decided once.
    pub failure: Option<String>,
    /// A cancel was asked for.
    pub canceled: bool,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            stage: Stage::Preparing,
            commands: Vec::new(),
            terraform_version: String::new(),
            state_mode: None,
            state_file: None,
            working_directory: PathBuf::new(),
            execution: None,
            relay: None,
            failure: None,
            canceled: false,
        }
    }
}

/// A job on disk.
#[derive(Debug)]
pub struct JobDirectory {
    path: PathBuf,
    pub job: Job,
    pub record: Record,
}

impl JobDirectory {
    /// Begins the directory of a new job. What an earlier lease of the same job left is removed: it
    /// was never started, or the control plane has forgotten it.
    ///
    /// # Errors
    /// The file system's own; `InvalidInput` for an id that is no file name.
    pub fn create(jobs: &Path, job: Job) -> io::Result<Self> {
        if !is_id(&job.id) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the job's id is unusable",
            ));
        }
        let path = jobs.join(&job.id);
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        files::make_passage(&path)?;
        files::write_private(&path.join(JOB), &job.encode_to_vec())?;
        let directory = Self {
            path,
            job,
            record: Record::default(),
        };
        directory.save()?;
        Ok(directory)
    }

    /// Opens what an earlier runner process left. `None` if it had not even begun.
    ///
    /// # Errors
    /// The file system's own; `InvalidData` when the files are damaged.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let Some(record) = step::read_json(&path.join(RECORD))? else {
            return Ok(None);
        };
        let job = Job::decode(std::fs::read(path.join(JOB))?.as_slice())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Some(Self {
            path: path.to_owned(),
            job,
            record,
        }))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the step directory is or will be.
    pub fn step_path(&self) -> PathBuf {
        self.path.join(STEP)
    }

    /// Makes an empty step directory.
    ///
    /// # Errors
    /// The file system's own.
    pub fn new_step(&self) -> io::Result<StepDir> {
        let path = self.step_path();
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        files::make_passage(&path)?;
        StepDir::open_existing(&path)
    }

    /// Opens the step directory.
    ///
    /// # Errors
    /// The file system's own.
    pub fn step(&self) -> io::Result<StepDir> {
        StepDir::open_existing(&self.step_path())
    }

    /// Keeps the record, durably.
    ///
    /// # Errors
    /// The file system's own.
    pub fn save(&self) -> io::Result<()> {
        files::write_private(&self.path.join(RECORD), &serde_json::to_vec(&self.record)?)
    }

    /// Enters a stage, durably.
    ///
    /// # Errors
    /// The file system's own.
    pub fn enter(&mut self, stage: Stage) -> io::Result<()> {
        self.record.stage = stage;
        self.save()
    }

    /// Removes everything.
    ///
    /// # Errors
    /// The file system's own.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_dir_all(&self.path)
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_found_again() {
        let jobs = tempfile::tempdir().unwrap();
        let job = Job {
            id: "job-1".into(),
            epoch: 3,
            ..Job::default()
        };
        let mut made = JobDirectory::create(jobs.path(), job).unwrap();
        made.record.terraform_version = "1.11.4".into();
        made.enter(Stage::Running).unwrap();
        let found = JobDirectory::open(&jobs.path().join("job-1"))
            .unwrap()
            .unwrap();
        assert_eq!((found.job.epoch, found.record), (3, made.record.clone()));
        made.remove().unwrap();
        assert!(
            JobDirectory::open(&jobs.path().join("job-1"))
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn ids_can_not_lead_elsewhere() {
        let jobs = tempfile::tempdir().unwrap();
        for id in ["", "..", "a/b", "/etc"] {
            let job = Job {
                id: id.into(),
                ..Job::default()
            };
            assert!(JobDirectory::create(jobs.path(), job).is_err(), "{id}");
        }
    }
}
