//! Rows of adjustments and files. Every function takes the tenant first.

use db::Conn;

use super::model::Adjustment;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, db::Error>;

const SELECT: &str =
    "SELECT id, kind, subject, amount, description, version, created_at, updated_at
    FROM cost_adjustments WHERE account_id = ";

/// All adjustments of an account, by kind and subject. Their number is bounded when they are made.
pub async fn adjustments(conn: &mut Conn, tenant: &Tenant) -> Result<Vec<Adjustment>> {
    conn.build(SELECT)
        .bind(tenant.account())
        .push(" ORDER BY kind, subject, id")
        .finish()
        .fetch_all()
        .await
}

/// The file that is kept for an account, an environment or a workspace.
pub async fn content(conn: &mut Conn, tenant: &Tenant, subject: &str) -> Result<Option<String>> {
    let found: Option<(String,)> = conn
        .query("SELECT content FROM cost_files WHERE account_id = $1 AND subject_id = $2")
        .bind(tenant.account())
        .bind(subject)
        .fetch_optional()
        .await?;
    Ok(found.map(|(content,)| content))
}
