//! Tells connected runners at once what is wanted of their jobs; heart-beats would bring it later.

use protocol::v1::job_directive::Kind;

use super::messages::{directive, directive_event, kind_of};
use crate::app::App;
use crate::runners::hub::Hub;
use crate::runs::RunError;
use crate::runs::jobs::{self, Standing};

/// One pass over the jobs of the runners connected here whose directive is not to go on.
pub(super) async fn pass(app: &App, hub: &Hub) -> Result<(), RunError> {
    for job in jobs::wanted(app).await? {
        let Some(runner) = &job.runner_id else {
            continue;
        };
        let kind = if job.status == domain::job::JobStatus::Abandoned {
            Kind::Release
        } else {
            kind_of(Standing::Held(jobs::Directive::read(&job.directive)))
        };
        hub.send(runner, directive_event(directive(&job.id, job.epoch, kind)));
    }
    Ok(())
}
