//! Fetches a configuration from a git repository.

use protocol::v1::CompleteRequest;
use protocol::v1::complete_request::Outcome;
use tokio::sync::watch;

use super::outcome::report;
use super::{Context, JobDirectory, Wanted};
use crate::wire::Refused;

/// Clones, packs and uploads; returns the report.
pub(super) async fn fetch(
    _context: &Context,
    directory: &mut JobDirectory,
    _wanted: &mut watch::Receiver<Wanted>,
) -> Result<CompleteRequest, Refused> {
    Ok(report(&directory.job, Outcome::Failed, "This runner can't fetch repositories yet."))
}
