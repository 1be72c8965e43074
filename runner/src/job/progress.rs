//! Tells the control plane how far a step is. Nothing depends on it being heard.

use std::convert::Infallible;

use protocol::v1::ProgressRequest;
use tokio::sync::watch;

use super::{Context, JobDirectory};
use crate::executor::Execution;
use crate::logs::source::StepProgress;

/// Tells each new point; never ends by itself.
pub(super) fn tell_progress(
    context: &Context,
    directory: &JobDirectory,
    mut progress: watch::Receiver<StepProgress>,
) -> impl Future<Output = Infallible> + Send + use<> {
    let wire = context.wire.clone();
    let request = ProgressRequest {
        job_id: directory.job.id.clone(),
        epoch: directory.job.epoch,
        terraform_version: directory.record.terraform_version.clone(),
        executor: directory
            .record
            .execution
            .as_ref()
            .map(name_of)
            .unwrap_or_default()
            .to_owned(),
        ..ProgressRequest::default()
    };
    async move {
        let mut told = "";
        loop {
            let stage = stage_of(&progress.borrow_and_update());
            if stage != told {
                told = stage;
                let request = ProgressRequest {
                    stage: stage.to_owned(),
                    ..request.clone()
                };
                wire.tell(request).await;
            }
            if progress.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

fn stage_of(progress: &StepProgress) -> &'static str {
    match (progress.current, &progress.end) {
        (_, Some(_)) => "uploading",
        (None, None) => "preparing",
        (Some(0), None) => "initializing",
        (Some(_), None) => "running",
    }
}

fn name_of(execution: &Execution) -> &'static str {
    match execution {
        Execution::Process { .. } => "process",
        Execution::Docker { .. } => "docker",
    }
}
