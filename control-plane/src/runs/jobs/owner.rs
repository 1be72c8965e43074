//! What a job belongs to: a run, or a fetch for something else. The queue treats both alike.

use domain::ids::{EnvironmentId, FetchId, RunId, WorkspaceId};
use sqlx::{ColumnIndex, Database, Decode, FromRow, Row, Type};

use crate::runs::error::RunError;

/// What a job belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Run(OfRun),
    Fetch(FetchId),
}

/// The run of a job and where it is at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfRun {
    pub environment_id: EnvironmentId,
    pub workspace_id: WorkspaceId,
    pub run_id: RunId,
}

impl Owner {
    pub fn run(&self) -> Option<&OfRun> {
        match self {
            Self::Run(run) => Some(run),
            Self::Fetch(_) => None,
        }
    }

    pub fn fetch(&self) -> Option<&FetchId> {
        match self {
            Self::Fetch(fetch) => Some(fetch),
            Self::Run(_) => None,
        }
    }

    /// The run, for what only a run has.
    ///
    /// # Errors
    /// [`RunError::OfNoRun`].
    pub fn need_run(&self) -> Result<&OfRun, RunError> {
        self.run().ok_or(RunError::OfNoRun)
    }
}

/// A row whose columns belong neither to a run nor to a fetch.
#[derive(Debug, thiserror::Error)]
#[error("the job belongs to nothing")]
struct OfNothing;

impl<'r, R> FromRow<'r, R> for Owner
where
    R: Row,
    &'static str: ColumnIndex<R>,
    Option<EnvironmentId>: Decode<'r, R::Database> + Type<R::Database>,
    Option<WorkspaceId>: Decode<'r, R::Database> + Type<R::Database>,
    Option<RunId>: Decode<'r, R::Database> + Type<R::Database>,
    Option<FetchId>: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        if let Some(fetch) = row.try_get("fetch_id")? {
            return Ok(Self::Fetch(fetch));
        }
        let environment_id: Option<EnvironmentId> = row.try_get("environment_id")?;
        let workspace_id: Option<WorkspaceId> = row.try_get("workspace_id")?;
        let run_id: Option<RunId> = row.try_get("run_id")?;
        match (environment_id, workspace_id, run_id) {
            (Some(environment_id), Some(workspace_id), Some(run_id)) => Ok(Self::Run(OfRun {
                environment_id,
                workspace_id,
                run_id,
            })),
            _ => Err(sqlx::Error::Decode(Box::new(OfNothing))),
        }
    }
}
