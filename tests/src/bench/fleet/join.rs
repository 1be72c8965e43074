//! How simulated runners come to their certificates.

use link::Transport;
use link::ca::generate_key_and_csr;
use link::client::{Connector, ConnectorConfig, TransportChoice};
use link::join::JoinToken;
use link::tls::{ClientIdentity, Trust};
use protocol::v1::EnrollRequest;
use rustls_pki_types::CertificateDer;

/// A certificate, its key, and the authority's certificate.
pub(super) struct Enrolled {
    pub(super) client: ClientIdentity,
    pub(super) ca: CertificateDer<'static>,
}

/// Enrols runners into one pool.
pub(super) struct Enroller {
    gateway: String,
    token: JoinToken,
    transport: Transport,
    connector: Connector,
}

impl Enroller {
    pub(super) fn new(gateway: &str, token: JoinToken, transport: Transport) -> Self {
        let trust = Trust::Fingerprint(token.ca_fingerprint());
        Self {
            connector: connector(gateway, trust, transport),
            gateway: gateway.to_owned(),
            token,
            transport,
        }
    }

    /// What enrolled runners connect with, once they have added their identity: a UDP socket.
    pub(super) fn connector(&self, ca: &CertificateDer<'static>) -> Connector {
        connector(&self.gateway, Trust::Ca(ca.clone()), self.transport)
    }

    pub(super) async fn enrol(&self, index: usize) -> Enrolled {
        let made = generate_key_and_csr().unwrap();
        let connecting = Box::pin(self.connector.connect_for_enrollment());
        let mut enrolling = connecting.await.unwrap();
        let request = EnrollRequest {
            join_token: self.token.to_text().expose().clone(),
            csr_der: made.csr_der.into(),
            name: format!("fleet-{index}"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..EnrollRequest::default()
        };
        let answer = enrolling.client.enroll(request).await.unwrap().into_inner();
        let certificate = CertificateDer::from(answer.certificate_der.to_vec());
        Enrolled {
            client: ClientIdentity {
                certificate,
                key: made.key,
            },
            ca: CertificateDer::from(answer.ca_der.to_vec()),
        }
    }
}

fn connector(gateway: &str, trust: Trust, transport: Transport) -> Connector {
    let mut config = ConnectorConfig::new(gateway, trust, None);
    config.transport = TransportChoice::Only(transport);
    Connector::new(config).unwrap()
}
