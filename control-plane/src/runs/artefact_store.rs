//! The columns of a run that name the artefacts of its plan.

use db::Conn;
use domain::ids::{BlobId, RunId};

use crate::context::Tenant;

/// Which artefact of a plan a blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Artefact {
    Archive,
    Json,
    Redacted,
    Schemas,
}

pub(super) async fn set_artefact(
    conn: &mut Conn,
    tenant: &Tenant,
    id: &RunId,
    artefact: Artefact,
    blob: &BlobId,
) -> Result<(), db::Error> {
    let sql = match artefact {
        Artefact::Archive => {
            "UPDATE runs SET plan_archive_blob_id = $3 WHERE account_id = $1 AND id = $2"
        }
        Artefact::Json => {
            "UPDATE runs SET plan_json_blob_id = $3 WHERE account_id = $1 AND id = $2"
        }
        Artefact::Redacted => {
            "UPDATE runs SET plan_redacted_blob_id = $3 WHERE account_id = $1 AND id = $2"
        }
        Artefact::Schemas => {
            "UPDATE runs SET plan_schemas_blob_id = $3 WHERE account_id = $1 AND id = $2"
        }
    };
    conn.query(sql)
        .bind(tenant.account())
        .bind(id)
        .bind(blob)
        .execute()
        .await?;
    Ok(())
}
