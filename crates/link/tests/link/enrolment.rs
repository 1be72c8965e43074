//! From a join token to work.

use std::sync::atomic::Ordering;

use domain::ids::RunnerId;
use link::ca::{
    SERVER_NAME, ServerCertificate, csr_for_key, generate_key_and_csr, recovery_message,
    sign_with_key,
};
use link::client::{ConnectError, Connector, ConnectorConfig, TransportChoice};
use link::tls::{ClientIdentity, Trust};
use protocol::v1::lease_event::Event;
use protocol::v1::{EnrollRequest, LeaseEvent, LeaseRequest, Offer, RecoverRequest};

use crate::gateway::*;

fn joining(gateway: &TestGateway, transport: link::Transport) -> Connector {
    let trust = Trust::Fingerprint(gateway.stub.token.ca_fingerprint());
    let config = ConnectorConfig::new(gateway.address.to_string(), trust, None);
    Connector::new(ConnectorConfig {
        transport: TransportChoice::Only(transport),
        ..config
    })
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_becomes_an_identity_and_an_offer_arrives() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let made = generate_key_and_csr().unwrap();
        let mut enrolling = joining(&gateway, transport)
            .connect_for_enrollment()
            .await
            .unwrap();
        let request = EnrollRequest {
            join_token: gateway.stub.token.to_text().expose().clone(),
            csr_der: made.csr_der.into(),
            ..Default::default()
        };
        let identity = enrolling.client.enroll(request).await.unwrap().into_inner();
        assert_eq!(&identity.ca_der[..], gateway.ca.certificate().as_ref());

        let certificate = identity.certificate_der.to_vec().into();
        let mine = ClientIdentity {
            certificate,
            key: made.key,
        };
        let (connection, hello) = connect(&gateway.connector_of(transport, mine))
            .await
            .unwrap();
        assert_eq!(hello.runner_id, identity.runner_id);
        assert_eq!(connection.transport(), transport);

        let request = LeaseRequest { free_slots: 1 };
        let mut lease = connection
            .control()
            .lease(request)
            .await
            .unwrap()
            .into_inner();
        let offer = Offer {
            job_id: "job-x".to_owned(),
            epoch: 3,
            kind: "plan".to_owned(),
        };
        let event = LeaseEvent {
            event: Some(Event::Offer(offer)),
        };
        gateway.stub.leases.send(event.clone()).unwrap();
        assert_eq!(
            soon("the offer", lease.message()).await.unwrap(),
            Some(event)
        );
    }
    assert_eq!(gateway.stub.enrolments.load(Ordering::Relaxed), 2);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_enrols_once() {
    let gateway = TestGateway::start().await;
    let trust = Trust::Fingerprint(gateway.stub.token.ca_fingerprint());
    let config = ConnectorConfig::new(gateway.address.to_string(), trust, None);
    let mut enrolling = Connector::new(config)
        .unwrap()
        .connect_for_enrollment()
        .await
        .unwrap();
    let request = EnrollRequest {
        join_token: gateway.stub.token.to_text().expose().clone(),
        csr_der: generate_key_and_csr().unwrap().csr_der.into(),
        ..Default::default()
    };
    enrolling.client.enroll(request).await.unwrap();
    assert_eq!(gateway.stub.enrolments.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_identity_is_recovered_with_its_key() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let runner = RunnerId::random();
        let expired = issue(&gateway.ca, &runner, now() - DAY);
        let csr_der = csr_for_key(&expired.key).unwrap();
        let signed_at = now().timestamp();
        let message = recovery_message(&csr_der, signed_at);
        let request = RecoverRequest {
            certificate_der: expired.certificate.to_vec().into(),
            signature: sign_with_key(&expired.key, &message).unwrap().into(),
            csr_der: csr_der.into(),
            signed_at,
        };
        // The connector still holds the expired certificate and must not present it.
        let connector = gateway.connector_of(transport, expired.clone());
        let mut enrolling = connector.connect_for_enrollment().await.unwrap();
        let got = enrolling
            .client
            .recover(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(got.runner_id, runner.to_string());

        let certificate = got.certificate_der.to_vec().into();
        let renewed = ClientIdentity {
            certificate,
            key: expired.key,
        };
        connect(&connector.with_identity(&renewed).unwrap())
            .await
            .unwrap();

        let stale = RecoverRequest {
            signed_at: signed_at - 3600,
            ..request
        };
        let refused = enrolling.client.recover(stale).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_of_another_installation_is_not_told_the_token() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let trust = Trust::Fingerprint(new_ca().fingerprint());
        let config = ConnectorConfig::new(gateway.address.to_string(), trust, None);
        let config = ConnectorConfig {
            transport: TransportChoice::Only(transport),
            ..config
        };
        let error = Connector::new(config)
            .unwrap()
            .connect_for_enrollment()
            .await
            .err()
            .unwrap();
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    }
}

/// A chain that holds the right CA, in front of it a certificate that this CA did not sign.
#[tokio::test(flavor = "multi_thread")]
async fn the_right_ca_beside_a_forged_certificate_is_refused() {
    let (ca, forger) = (new_ca(), new_ca());
    let forged = forger.issue_server(&[], now() - DAY, now() + DAY).unwrap();
    let chain = vec![forged.chain[0].clone(), ca.certificate().clone()];
    let mut config = config(&ca, "127.0.0.1:0".parse().unwrap(), Default::default());
    config.certificate = ServerCertificate {
        chain,
        key: forged.key,
    };
    let gateway = TestGateway::with_config(ca, config).await;
    for transport in BOTH {
        let error = joining(&gateway, transport)
            .connect_for_enrollment()
            .await
            .err()
            .unwrap();
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    }
}

/// A runner's certificate, stolen, does not make a gateway: it has neither the name nor the purpose.
#[tokio::test(flavor = "multi_thread")]
async fn a_runners_certificate_is_no_gateways() {
    let ca = new_ca();
    let runner = issue(&ca, &RunnerId::random(), now() + DAY);
    let chain = vec![runner.certificate, ca.certificate().clone()];
    let mut config = config(&ca, "127.0.0.1:0".parse().unwrap(), Default::default());
    config.certificate = ServerCertificate {
        chain,
        key: runner.key,
    };
    let gateway = TestGateway::with_config(ca, config).await;
    for transport in BOTH {
        let error = joining(&gateway, transport)
            .connect_for_enrollment()
            .await
            .err()
            .unwrap();
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    }
    assert!(SERVER_NAME.ends_with(".internal"));
}
