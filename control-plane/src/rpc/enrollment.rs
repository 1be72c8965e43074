//! Before a runner has a certificate: joining and recovering.

use std::sync::Arc;

use link::ca::RecoveryClaim;
use link::join::JoinToken;
use protocol::v1::enrollment_server::Enrollment;
use protocol::v1::{EnrollRequest, Identity, RecoverRequest};
use tonic::{Request, Response, Status};

use super::messages;
use super::status::status_of;
use crate::app::App;
use crate::runners::{self, Authority, Issued, Joining, RunnerError};
use crate::runs::jobs;

/// Longest name and label that a runner may give itself.
const MAX_TEXT: usize = 200;
const MAX_LABELS: usize = 64;

pub(super) struct EnrollmentService {
    pub app: Arc<App>,
    pub authority: Arc<Authority>,
}

/// A certificate as it goes to its runner.
pub(super) fn identity(authority: &Authority, issued: Issued) -> Identity {
    Identity {
        runner_id: issued.runner.to_string(),
        certificate_der: issued.certificate_der.into(),
        ca_der: authority.ca.certificate().to_vec().into(),
        not_after: issued.not_after.timestamp(),
    }
}

#[tonic::async_trait]
impl Enrollment for EnrollmentService {
    async fn enroll(&self, request: Request<EnrollRequest>) -> Result<Response<Identity>, Status> {
        let asked = request.into_inner();
        let token = JoinToken::parse(&asked.join_token)
            .map_err(|error| Status::unauthenticated(error.to_string()))?;
        let long = |text: &String| text.len() > MAX_TEXT;
        let labels = &asked.labels;
        if long(&asked.name)
            || labels.len() > MAX_LABELS
            || labels.iter().any(|(key, value)| long(key) || long(value))
        {
            return Err(Status::invalid_argument(format!(
                "name and labels: at most {MAX_LABELS} labels of {MAX_TEXT} characters"
            )));
        }
        let joining = Joining {
            token_hash: hex::encode(token.secret_hash()),
            csr_der: asked.csr_der.to_vec(),
            name: asked.name,
            labels: asked.labels.into_iter().collect(),
            software: asked.version,
        };
        let issued = runners::enroll(&self.app, &self.authority, joining)
            .await
            .map_err(status_of)?;
        Ok(Response::new(identity(&self.authority, issued)))
    }

    async fn recover(
        &self,
        request: Request<RecoverRequest>,
    ) -> Result<Response<Identity>, Status> {
        let asked = request.into_inner();
        let claim = RecoveryClaim {
            certificate_der: &asked.certificate_der,
            csr_der: &asked.csr_der,
            signed_at: asked.signed_at,
            signature: &asked.signature,
        };
        let issued = match runners::recover(&self.app, &self.authority, claim).await {
            Err(RunnerError::Revoked) => self.deliverer(claim).await?,
            issued => issued.map_err(status_of)?,
        };
        Ok(Response::new(identity(&self.authority, issued)))
    }
}

impl EnrollmentService {
    /// A revoked runner gets nothing but a way to deliver what it may be the only one to have. Its
    /// jobs are over from here on.
    async fn deliverer(&self, claim: RecoveryClaim<'_>) -> Result<Issued, Status> {
        let runner = runners::revoked_claimant(&self.app, &self.authority, claim)
            .await
            .map_err(status_of)?;
        let tenant = messages::tenant(&runner.account_id);
        let granted = jobs::give_up_of(&self.app, &tenant, &runner.id)
            .await
            .map_err(status_of)?;
        if granted == 0 {
            return Err(status_of(RunnerError::Revoked));
        }
        runners::issue_delivery(&self.app, &self.authority, &runner, claim.csr_der)
            .await
            .map_err(status_of)?
            .ok_or_else(|| {
                Status::unavailable("the runner was given a certificate a moment ago; ask again")
            })
    }
}
