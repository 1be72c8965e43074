//! What a token says. The names of the claims are those that HCP Terraform uses where it has them, so
//! that trust policies written for it need another issuer only.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::clock::Timestamp;

/// Characters of a name that stand for themselves in a subject. A colon separates its parts and a
/// star is a wildcard in trust policies: neither may come from a name.
const IN_SUBJECT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b' ')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// Something with an id and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    pub name: String,
}

/// Which half of a run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Plan,
    Apply,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply => "apply",
        }
    }
}

/// What a token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFacts {
    pub account: Named,
    pub environment: Named,
    pub project: Named,
    pub workspace: Named,
    pub run: String,
    pub job: String,
    pub epoch: i64,
    pub phase: Phase,
}

impl RunFacts {
    /// `account:A:organization:E:project:P:workspace:W:run_phase:plan|apply`.
    pub fn subject(&self) -> String {
        let part = |name: &Named| utf8_percent_encode(&name.name, IN_SUBJECT).to_string();
        format!(
            "account:{}:organization:{}:project:{}:workspace:{}:run_phase:{}",
            part(&self.account),
            part(&self.environment),
            part(&self.project),
            part(&self.workspace),
            self.phase.as_str()
        )
    }
}

/// The payload of a token.
#[derive(Debug, Serialize)]
pub(super) struct Claims {
    pub jti: String,
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    terraform_account_id: String,
    terraform_account_name: String,
    terraform_organization_id: String,
    terraform_organization_name: String,
    terraform_project_id: String,
    terraform_project_name: String,
    terraform_workspace_id: String,
    terraform_workspace_name: String,
    terraform_full_workspace: String,
    terraform_run_id: String,
    terraform_run_phase: &'static str,
    terrane_job_id: String,
    terrane_job_epoch: i64,
}

/// How far clocks may be apart, in seconds.
const SKEW: i64 = 60;

impl Claims {
    pub(super) fn new(
        facts: &RunFacts,
        issuer: String,
        audience: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Self {
        let subject = facts.subject();
        let full = subject
            .rsplit_once(":run_phase:")
            .map_or(subject.as_str(), |(full, _)| full)
            .to_owned();
        Self {
            jti: domain::ids::RequestId::random().to_string(),
            iss: issuer,
            aud: audience.to_owned(),
            sub: subject,
            iat: now.timestamp(),
            nbf: now.timestamp() - SKEW,
            exp: until.timestamp(),
            terraform_account_id: facts.account.id.clone(),
            terraform_account_name: facts.account.name.clone(),
            terraform_organization_id: facts.environment.id.clone(),
            terraform_organization_name: facts.environment.name.clone(),
            terraform_project_id: facts.project.id.clone(),
            terraform_project_name: facts.project.name.clone(),
            terraform_workspace_id: facts.workspace.id.clone(),
            terraform_workspace_name: facts.workspace.name.clone(),
            terraform_full_workspace: full,
            terraform_run_id: facts.run.clone(),
            terraform_run_phase: facts.phase.as_str(),
            terrane_job_id: facts.job.clone(),
            terrane_job_epoch: facts.epoch,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::run_identity) fn facts(project: &str) -> RunFacts {
        let named = |id: &str, name: &str| Named {
            id: id.to_owned(),
            name: name.to_owned(),
        };
        RunFacts {
            account: named("acc-1", "acme"),
            environment: named("env-1", "prod"),
            project: named("prj-1", project),
            workspace: named("ws-1", "net"),
            run: "run-1".to_owned(),
            job: "job-1".to_owned(),
            epoch: 3,
            phase: Phase::Apply,
        }
    }

    #[test]
    fn the_subject_names_the_place_and_the_phase() {
        assert_eq!(
            facts("Default Project").subject(),
            "account:acme:organization:prod:project:Default Project:workspace:net:run_phase:apply"
        );
    }

    #[test]
    fn a_name_can_not_pretend_to_be_another_place() {
        let sly = facts("x:workspace:net:run_phase:apply*");
        assert_eq!(
            sly.subject(),
            "account:acme:organization:prod:project:x%3Aworkspace%3Anet%3Arun_phase%3Aapply%2A\
             :workspace:net:run_phase:apply"
        );
    }
}
