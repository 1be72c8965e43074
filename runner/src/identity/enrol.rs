//! Getting an identity: with a join token, or with proof of an old key.

use domain::Secret;
use link::ca::{csr_for_key, generate_key_and_csr, recovery_message, sign_with_key};
use link::client::{ConnectError, Connector};
use link::join::JoinToken;
use protocol::v1;

use super::Identity;
use crate::clock;
use crate::wire::{Lane, Wire};

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the gateway refused to enrol this runner: {0}")]
    Refused(String),
    #[error("the gateway could not be asked: {0}")]
    Unanswered(String),
    #[error("the key or the certificate request could not be made")]
    Key(#[from] link::ca::CaError),
    #[error("the gateway's certificate authority is not the one that the join token names")]
    OtherAuthority,
}

impl EnrolError {
    /// Whether trying again may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Connect(error) => !error.is_final(),
            Self::Unanswered(_) => true,
            Self::Refused(_) | Self::Key(_) | Self::OtherAuthority => false,
        }
    }
}

/// Turns a join token into an identity. `connector` trusts the token's fingerprint.
///
/// # Errors
/// [`EnrolError`].
pub async fn enrol(
    connector: &Connector,
    token: &JoinToken,
    name: &str,
    labels: &std::collections::BTreeMap<String, String>,
) -> Result<Identity, EnrolError> {
    let made = generate_key_and_csr()?;
    let mut enrolling = connector.connect_for_enrollment().await?;
    let request = v1::EnrollRequest {
        join_token: token.to_text().expose().clone(),
        csr_der: made.csr_der.into(),
        name: name.to_owned(),
        labels: labels
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let answer = enrolling
        .client
        .enroll(request)
        .await
        .map_err(|status| refusal(&status))?;
    let identity = renewed(made.key, answer.into_inner());
    if link::ca::fingerprint(&identity.ca_der) != token.ca_fingerprint() {
        return Err(EnrolError::OtherAuthority);
    }
    Ok(identity)
}

/// Gets an identity back whose certificate has run out.
///
/// # Errors
/// [`EnrolError`].
pub async fn recover(connector: &Connector, old: &Identity) -> Result<Identity, EnrolError> {
    let csr_der = csr_for_key(&old.key)?;
    let signed_at = clock::unix_seconds();
    let signature = sign_with_key(&old.key, &recovery_message(&csr_der, signed_at))?;
    let mut enrolling = connector.connect_for_enrollment().await?;
    let request = v1::RecoverRequest {
        certificate_der: old.certificate_der.clone().into(),
        csr_der: csr_der.into(),
        signed_at,
        signature: signature.into(),
    };
    let answer = enrolling
        .client
        .recover(request)
        .await
        .map_err(|status| refusal(&status))?;
    Ok(renewed(old.key.clone(), answer.into_inner()))
}

/// A new key and certificate over the connection that there is.
///
/// # Errors
/// [`EnrolError`].
pub async fn renew(wire: &Wire, old: &Identity) -> Result<Identity, EnrolError> {
    let made = generate_key_and_csr()?;
    let csr: bytes::Bytes = made.csr_der.into();
    let answer = wire
        .call(Lane::Control, |mut client| {
            let request = v1::RenewRequest {
                csr_der: csr.clone(),
            };
            async move { client.renew(request).await.map(tonic::Response::into_inner) }
        })
        .await
        .map_err(|error| EnrolError::Refused(error.to_string()))?;
    let mut identity = renewed(made.key, answer);
    if identity.ca_der.is_empty() {
        identity.ca_der.clone_from(&old.ca_der);
    }
    Ok(identity)
}

/// The identity of an answer to a request made with `key`.
fn renewed(key: Secret<Vec<u8>>, answer: v1::Identity) -> Identity {
    Identity {
        runner_id: answer.runner_id,
        key,
        certificate_der: answer.certificate_der.to_vec(),
        ca_der: answer.ca_der.to_vec(),
        received_at: clock::unix_seconds(),
        not_after: answer.not_after,
    }
}

fn refusal(status: &tonic::Status) -> EnrolError {
    use tonic::Code;
    match status.code() {
        Code::Unavailable
        | Code::Unknown
        | Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Internal
        | Code::ResourceExhausted
        | Code::Aborted => EnrolError::Unanswered(status.message().to_owned()),
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => EnrolError::Refused(status.message().to_owned()),
    }
}
