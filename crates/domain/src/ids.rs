//! Typed, prefixed ids: `run-…`, `ws-…`. One registry, so that a prefix can't be taken twice and no
//! signature needs a bare string.
//!
//! An id is its prefix, a dash and 16 characters of base58 from the operating system's random
//! source (about 93 bits): unguessable, but never a secret.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::column::text_column;

/// What a text that should be an id was instead.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected an id that starts with `{prefix}-`, found {found:?}")]
pub struct ParseIdError {
    pub prefix: &'static str,
    pub found: String,
}

const BODY_LENGTH: usize = 16;
const MAX_LENGTH: usize = 64;

fn random_body() -> String {
    let bytes: [u8; 16] = rand::random();
    let mut text = bs58::encode(bytes).into_string();
    // 16 random bytes are 21 or 22 base58 characters, fewer only when they begin with zeros.
    while text.len() < BODY_LENGTH {
        text.push('1');
    }
    text.split_off(text.len() - BODY_LENGTH)
}

fn is_body(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_LENGTH
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
            #[serde(try_from = "String", into = "String")]
            pub struct $name(String);

            impl $name {
                /// What every id of this kind begins with, without the dash.
                pub const PREFIX: &'static str = $prefix;

                /// A new random id.
                pub fn random() -> Self {
                    Self(format!(concat!($prefix, "-{}"), random_body()))
                }

                pub fn as_str(&self) -> &str {
                    &self.0
                }

                /// What follows the prefix and its dash.
                pub fn body(&self) -> &str {
                    &self.0[$prefix.len() + 1..]
                }

                /// The id of what there is once beside the thing that `body` belongs to: a run's
                /// check, its cost estimate. It needs no look-up.
                pub fn beside(body: &str) -> Self {
                    Self(format!(concat!($prefix, "-{}"), body))
                }
            }

            impl TryFrom<String> for $name {
                type Error = ParseIdError;
                fn try_from(text: String) -> Result<Self, ParseIdError> {
                    match text.strip_prefix(concat!($prefix, "-")) {
                        Some(body) if is_body(body) => Ok(Self(text)),
                        _ => Err(ParseIdError { prefix: $prefix, found: text }),
                    }
                }
            }

            impl FromStr for $name {
                type Err = ParseIdError;
                fn from_str(text: &str) -> Result<Self, ParseIdError> {
                    text.to_owned().try_into()
                }
            }

            impl From<$name> for String {
                fn from(id: $name) -> String {
                    id.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            text_column!($name);
        )*

        #[cfg(test)]
        const PREFIXES: &[&str] = &[$($prefix),*];
    };
}

ids! {
    /// A tenant.
    AccountId = "acc";
    /// A team's or stage's space inside an account; `organization` on the wire.
    EnvironmentId = "env";
    /// A group of workspaces inside an environment.
    ProjectId = "prj";
    WorkspaceId = "ws";
    VariableId = "var";
    ConfigurationVersionId = "cv";
    RunId = "run";
    PlanId = "plan";
    ApplyId = "apply";
    RunEventId = "re";
    StateVersionId = "sv";
    StateOutputId = "wsout";
    UserId = "user";
    TokenId = "at";
    TeamId = "team";
    ServiceAccountId = "sa";
    /// A role of the system's or of an account's own.
    RoleId = "role";
    /// A grant of a role.
    GrantId = "ap";
    /// Somebody's membership of an account: the id of its user under another prefix.
    MembershipId = "ou";
    ApprovalRuleId = "aprule";
    ApprovalId = "appr";
    SessionId = "sess";
    IdentityProviderId = "idp";
    /// Who somebody is to an identity provider.
    ExternalIdentityId = "ext";
    ExternalGroupId = "extgrp";
    /// A link that is used once: an invitation, a new password, a test sign-in.
    UserLinkId = "link";
    TagBindingId = "tb";
    JobId = "job";
    /// A repository being fetched for something other than a run.
    FetchId = "fetch";
    RunnerId = "runner";
    RunnerPoolId = "apool";
    PolicyCheckId = "polchk";
    /// The checks of a run before its plan.
    TaskStageId = "ts";
    PolicyEvaluationId = "poleval";
    /// What one group's policies say in an evaluation.
    PolicySetOutcomeId = "psout";
    /// One policy's word in a check.
    PolicyResultId = "polres";
    /// One beside each run that is estimated.
    CostEstimateId = "ce";
    CostLimitId = "climit";
    CostAdjustmentId = "cadj";
    AuditId = "aud";
    AuditStreamId = "audstr";
    BlobId = "blob";
    PolicyGroupId = "polset";
    PolicyRevisionId = "polsetver";
    PolicyId = "pol";
    PolicyParameterId = "polpar";
    PolicyDocumentId = "poldoc";
    ImpactAnalysisId = "impact";
    /// A key that signs what runs say about themselves.
    IdentityKeyId = "ikey";
    ProviderConfigurationId = "pcfg";
    ProviderLinkId = "pcfgl";
    /// One HTTP request, or one unit of background work.
    RequestId = "req";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn random_ids_have_the_promised_shape() {
        for _ in 0..1000 {
            let id = RunId::random();
            assert_eq!(id.as_str().len(), "run-".len() + BODY_LENGTH);
            assert_eq!(id.as_str().parse::<RunId>(), Ok(id));
        }
    }

    #[test]
    fn another_kinds_id_is_refused() {
        let error = WorkspaceId::random().as_str().parse::<RunId>().unwrap_err();
        assert!(error.to_string().contains("starts with `run-`"), "{error}");
    }

    #[test]
    fn junk_is_refused() {
        for junk in ["", "run", "run-", "run-a/b", "run-a b", "run-\u{e9}"] {
            assert!(junk.parse::<RunId>().is_err(), "{junk:?}");
        }
    }

    #[test]
    fn no_prefix_is_taken_twice() {
        assert_eq!(
            PREFIXES.iter().collect::<HashSet<_>>().len(),
            PREFIXES.len()
        );
    }
}
