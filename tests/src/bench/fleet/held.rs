//! A job that a simulated runner has taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use link::client::Connection;
use protocol::v1::complete_request::Outcome;
use protocol::v1::{CompleteRequest, Job};
use tokio::sync::Notify;

/// What a member has in hand, and how it hears that it has less.
#[derive(Default)]
pub(super) struct Load {
    pub(super) jobs: AtomicU32,
    pub(super) changed: Notify,
}

/// A leased job; its runner counts it until it is ended.
pub(in crate::bench) struct Held {
    pub(in crate::bench) job: Job,
    /// When the acknowledgement was answered.
    pub(in crate::bench) taken_at: SystemTime,
    pub(in crate::bench) connection: Connection,
    pub(super) load: Arc<Load>,
}

impl Held {
    /// Reports that it failed, which ends its run.
    pub(in crate::bench) async fn fail(self) {
        let request = CompleteRequest {
            job_id: self.job.id.clone(),
            epoch: self.job.epoch,
            outcome: Outcome::Failed.into(),
            error: "This was a measurement.".to_owned(),
            ..CompleteRequest::default()
        };
        self.connection.control().complete(request).await.unwrap();
        self.load.jobs.fetch_sub(1, Ordering::Relaxed);
        self.load.changed.notify_one();
    }
}
