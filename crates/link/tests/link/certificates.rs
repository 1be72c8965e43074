//! Who gets in, and who is thrown out.

use std::sync::atomic::Ordering;

use domain::ids::RunnerId;
use link::Transport;
use link::ca::parse_peer;
use link::client::{ConnectError, Connector, Refusal, TransportChoice};
use link::close::{CloseCode, CloseReason};
use link::server::Limits;
use protocol::v1::{HeartbeatRequest, RenewRequest};
use tonic::Code;

use crate::gateway::*;

/// Every method of the contract's Runner service, read from the contract, so that a new one is
/// covered without a thought.
fn runner_methods() -> Vec<String> {
    let contract = include_str!("../../../../protocol/proto/terrane/runner/v1/runner.proto");
    let service = contract
        .split("service Runner {")
        .nth(1)
        .unwrap()
        .split("\n}")
        .next()
        .unwrap();
    let methods = service
        .lines()
        .filter_map(|line| line.trim().strip_prefix("rpc "));
    methods
        .map(|line| line.split('(').next().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_of_the_runner_service_can_be_called_without_a_certificate() {
    let gateway = TestGateway::start().await;
    let methods = runner_methods();
    assert!(methods.len() > 10, "{methods:?}");
    for transport in BOTH {
        let config = gateway.config(TransportChoice::Only(transport), None);
        let connector = Connector::new(config).unwrap();
        let enrolling = connector.connect_for_enrollment().await.unwrap();
        for method in &methods {
            let status = call(enrolling.connection.channel(), method).await;
            assert_eq!(
                status.code(),
                Code::Unauthenticated,
                "{method} over {transport}"
            );
            assert!(status.message().contains("join token"), "{status}");
        }
        let unknown = call(enrolling.connection.channel(), "NoSuchMethod").await;
        assert_eq!(unknown.code(), Code::Unauthenticated);
    }
    assert_eq!(gateway.stub.hellos.load(Ordering::Relaxed), 0);
}

async fn call(channel: link::client::Channel, method: &str) -> tonic::Status {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = format!("/terrane.runner.v1.Runner/{method}")
        .parse()
        .unwrap();
    let codec = protocol::SizedCodec::<HeartbeatRequest, HeartbeatRequest>::default();
    let request = tonic::Request::new(HeartbeatRequest::default());
    client.unary(request, path, codec).await.unwrap_err()
}

fn refused(error: ConnectError) -> Refusal {
    let ConnectError::Refused { refusal, .. } = error else {
        panic!("not refused but: {error}")
    };
    refusal
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_refused_and_named() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let expired = issue(&gateway.ca, &RunnerId::random(), now() - DAY);
        let error = connect(&gateway.connector_of(transport, expired))
            .await
            .err()
            .unwrap();
        assert!(error.is_final());
        let expected = CloseReason::Certificate("it has expired".to_owned());
        assert!(
            matches!(refused(error), Refusal::Closed(reason) if reason == expected),
            "over {transport}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_ca_is_refused_and_named() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let foreign = issue(&new_ca(), &RunnerId::random(), now() + DAY);
        let error = connect(&gateway.connector_of(transport, foreign))
            .await
            .err()
            .unwrap();
        let text = error.to_string();
        assert!(error.is_final(), "{text}");
        assert!(
            text.contains("not from this installation's runner CA"),
            "{text}"
        );
    }
}

/// The gateway's own certificate, stolen, is no runner's.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_certificate_is_no_runners() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let server = gateway
            .ca
            .issue_server(&[], now() - DAY, now() + DAY)
            .unwrap();
        let certificate = server.chain[0].clone();
        let identity = link::tls::ClientIdentity {
            certificate,
            key: server.key,
        };
        let error = connect(&gateway.connector_of(transport, identity))
            .await
            .err()
            .unwrap();
        assert!(error.is_final(), "{error}");
    }
    assert_eq!(gateway.stub.hellos.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_ends_live_connections_and_refuses_new_ones() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        for by_serial in [true, false] {
            let runner = RunnerId::random();
            let identity = gateway.issue(&runner);
            let serial = parse_peer(&identity.certificate).unwrap().serial;
            let connector = gateway.connector_of(transport, identity);
            let (connection, _) = connect(&connector).await.unwrap();
            let (other, _) = connect(&gateway.connector(transport)).await.unwrap();

            let closed = if by_serial {
                gateway.handle.revoke_serial(&serial)
            } else {
                gateway.handle.revoke_runner(&runner)
            };
            assert_eq!(closed, 1);
            let reason = soon("the revoked connection ends", connection.closed()).await;
            match transport {
                Transport::Quic => {
                    assert_eq!(reason, CloseReason::Gateway(CloseCode::Revoked));
                }
                Transport::Tcp => assert!(matches!(reason, CloseReason::Lost(_)), "{reason}"),
            }
            let call = connection
                .control()
                .heartbeat(HeartbeatRequest::default())
                .await;
            assert!(call.is_err());

            let error = connect(&connector).await.err().unwrap();
            let text = error.to_string();
            assert!(error.is_final() && text.contains("revoked"), "{text}");
            other
                .control()
                .heartbeat(HeartbeatRequest::default())
                .await
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_does_not_outlive_its_certificate() {
    let limits = Limits {
        expiry_grace: Default::default(),
        ..Default::default()
    };
    let gateway = TestGateway::with_limits(limits).await;
    for transport in BOTH {
        let soon_over = now() + chrono::TimeDelta::seconds(5);
        let identity = issue(&gateway.ca, &RunnerId::random(), soon_over);
        let (connection, _) = connect(&gateway.connector_of(transport, identity))
            .await
            .unwrap();
        let reason = soon("the certificate's end", connection.closed()).await;
        match transport {
            Transport::Quic => assert_eq!(reason, CloseReason::Gateway(CloseCode::Expired)),
            Transport::Tcp => assert!(matches!(reason, CloseReason::Lost(_)), "{reason}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_takes_over_beside_the_old_one() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let connector = gateway.connector(transport);
        let (old, first) = connect(&connector).await.unwrap();
        let made = link::ca::generate_key_and_csr().unwrap();
        let request = RenewRequest {
            csr_der: made.csr_der.into(),
        };
        let renewed = old.control().renew(request).await.unwrap().into_inner();
        let certificate = renewed.certificate_der.to_vec().into();
        let identity = link::tls::ClientIdentity {
            certificate,
            key: made.key,
        };
        let (new, second) = connect(&connector.with_identity(&identity).unwrap())
            .await
            .unwrap();
        assert_eq!(first.runner_id, second.runner_id);
        for connection in [&old, &new] {
            connection
                .control()
                .heartbeat(HeartbeatRequest::default())
                .await
                .unwrap();
        }
    }
}
