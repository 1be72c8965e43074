//! Everything about a stored state that can be done before the transaction that makes it current.

use super::error::StateError;
use super::examine::{Contents, examine};
use super::model::{Announced, StateVersion};
use super::output_store::{self, OutputRow};
use super::outputs;
use super::rules::Identity;
use super::store;
use super::summary::Summary;
use crate::app::App;
use crate::context::Tenant;
use crate::objects::{self, Stored};
use crate::workspaces;

type Result<T> = std::result::Result<T, StateError>;

/// A stored state with its index, ready to be recorded.
#[derive(Debug)]
pub(super) struct Prepared {
    pub stored: Stored,
    /// Serial and lineage as the content has them; nothing when only the client can read it.
    pub head: Option<(i64, String)>,
    pub terraform_version: Option<String>,
    pub summary: Summary,
    pub outputs: Vec<OutputRow>,
}

/// Reads a stored state. `announced_outputs` are used when only the client can read its own.
///
/// # Errors
/// [`StateError::Unreadable`] when it is no whole state.
pub(super) async fn prepare(
    app: &App,
    tenant: &Tenant,
    stored: Stored,
    announced_outputs: Option<&[u8]>,
) -> Result<Prepared> {
    let object = objects::open(app, tenant, &stored.id).await?;
    match examine(&object).await? {
        Contents::State(index) => {
            let serial = i64::try_from(index.head.serial).unwrap_or(i64::MAX);
            let outputs = if index.summary.unindexed {
                announced_outputs
                    .map(outputs::parse_announced)
                    .unwrap_or_default()
            } else {
                index.outputs
            };
            Ok(Prepared {
                stored,
                head: Some((serial, index.head.lineage)),
                terraform_version: Some(index.head.terraform_version).filter(|it| !it.is_empty()),
                summary: index.summary,
                outputs: outputs::seal(app, tenant, outputs).await?,
            })
        }
        Contents::Opaque => {
            let announced = announced_outputs
                .map(outputs::parse_announced)
                .unwrap_or_default();
            Ok(Prepared {
                stored,
                head: None,
                terraform_version: None,
                summary: Summary::opaque(),
                outputs: outputs::seal(app, tenant, announced).await?,
            })
        }
        Contents::Unreadable { reason } => Err(StateError::Unreadable { reason }),
    }
}

impl Prepared {
    /// Fails when the content tells another serial or lineage than was announced.
    pub(super) fn check_announced(&self, announced: &Announced) -> Result<()> {
        let Some((serial, lineage)) = &self.head else {
            return Ok(());
        };
        let same_lineage = announced.lineage.is_empty() || announced.lineage == *lineage;
        if *serial == announced.serial && same_lineage {
            return Ok(());
        }
        Err(StateError::NotAsAnnounced {
            serial: *serial,
            lineage: lineage.clone(),
        })
    }

    /// What the state is, with the announcement where the content doesn't tell.
    pub(super) fn identity<'a>(&'a self, announced: &'a Announced) -> Identity<'a> {
        let md5 = &self.stored.md5;
        match &self.head {
            Some((serial, lineage)) => Identity {
                serial: *serial,
                lineage,
                md5,
            },
            None => Identity {
                serial: announced.serial,
                lineage: &announced.lineage,
                md5,
            },
        }
    }

    /// Writes into `version` what the bytes have told.
    pub(super) fn describe(&self, version: &mut StateVersion) {
        if let Some((serial, lineage)) = &self.head {
            version.serial = *serial;
            version.lineage.clone_from(lineage);
        }
        version.md5.clone_from(&self.stored.md5);
        version.sha256 = Some(self.stored.sha256.clone());
        version.size = i64::try_from(self.stored.size).ok();
        version.blob_id = Some(self.stored.id.clone());
        version
            .terraform_version
            .clone_from(&self.terraform_version);
        version.summary = Some(self.summary.clone());
    }
}

/// Makes a version, whose row is there, the current state of its workspace: with its outputs, and its
/// bytes kept. The workspace's row must be locked.
pub(super) async fn make_current(
    tx: &mut db::Tx,
    tenant: &Tenant,
    version: &StateVersion,
    prepared: &Prepared,
) -> Result<()> {
    objects::own(tx, tenant, &prepared.stored.id).await?;
    output_store::insert(tx, tenant, &version.id, &prepared.outputs).await?;
    let resources = prepared.summary.resource_count();
    workspaces::set_current_state(tx, tenant, &version.workspace_id, &version.id, resources)
        .await?;
    Ok(())
}

/// The workspace's current state, as the rules want it.
pub(super) async fn current_of(
    conn: &mut db::Conn,
    tenant: &Tenant,
    workspace: &workspaces::Workspace,
) -> Result<Option<StateVersion>> {
    match &workspace.current_state_version_id {
        Some(id) => Ok(store::find(conn, tenant, id).await?),
        None => Ok(None),
    }
}

impl StateVersion {
    pub(super) fn identity(&self) -> Identity<'_> {
        Identity {
            serial: self.serial,
            lineage: &self.lineage,
            md5: &self.md5,
        }
    }
}
