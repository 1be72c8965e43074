//! Which transport is used, and that it says why.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::ids::RunnerId;
use link::Transport;
use link::client::{ConnectError, Connector, ConnectorConfig, Refusal, TransportChoice};
use link::tls::{CertificateSlot, server_config};
use protocol::v1::HeartbeatRequest;
use quinn::crypto::rustls::QuicServerConfig;

use crate::gateway::*;
use crate::network::TcpOnly;

fn auto(gateway: &TestGateway) -> ConnectorConfig {
    gateway.config(
        TransportChoice::Auto,
        Some(gateway.issue(&RunnerId::random())),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn quic_wins_where_udp_gets_through() {
    let gateway = TestGateway::start().await;
    let directory = tempfile::tempdir().unwrap();
    let mut config = auto(&gateway);
    config.network_memory = Some(directory.path().join("network.json"));
    let connector = Connector::new(config).unwrap();
    // The head start is a quarter of a second: on a busy machine TCP may win the first time, and
    // then the memory says so.
    let (connection, _) = connect(&connector).await.unwrap();
    let won = connection.transport();
    assert!(!connection.transport_reason().is_empty());
    drop(connection);
    let (again, _) = connect(&connector).await.unwrap();
    if again.transport() == won {
        assert_eq!(again.transport_reason(), "it won in this network before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_udp_is_swallowed_tcp_takes_over_and_is_remembered() {
    let gateway = TestGateway::start().await;
    let network = TcpOnly::to(gateway.address).await;
    let directory = tempfile::tempdir().unwrap();
    let config = ConnectorConfig {
        gateway: network.address.to_string(),
        network_memory: Some(directory.path().join("network.json")),
        ..auto(&gateway)
    };
    let connector = Connector::new(config.clone()).unwrap();
    let (connection, _) = connect(&connector).await.unwrap();
    assert_eq!(connection.transport(), Transport::Tcp);
    assert_eq!(
        connection.transport_reason(),
        "QUIC did not answer within 250 ms"
    );
    connection
        .control()
        .heartbeat(HeartbeatRequest::default())
        .await
        .unwrap();
    drop(connection);

    // Another process, the same file.
    let (connection, _) = connect(&Connector::new(config).unwrap()).await.unwrap();
    assert_eq!(connection.transport(), Transport::Tcp);
    assert_eq!(
        connection.transport_reason(),
        "it won in this network before"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_over_quic_is_not_asked_for_again_over_tcp() {
    let gateway = TestGateway::start().await;
    let connector = Connector::new(auto(&gateway)).unwrap();
    let later = protocol::VERSION + 1;
    let error = connect_speaking(&connector, later, later)
        .await
        .err()
        .unwrap();
    assert!(error.is_final());
    let text = error.to_string();
    assert!(
        text.contains("this gateway speaks versions 1 to 1"),
        "{text}"
    );
    let ConnectError::Refused {
        refusal: Refusal::Answer(status),
        ..
    } = error
    else {
        panic!("{text}")
    };
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    // On a machine too busy for the head start both may have asked.
    let asked = gateway.stub.transports.lock().clone();
    assert!(asked.len() <= 2, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_listens_and_both_ways_are_named() {
    let gateway = TestGateway::start().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = ConnectorConfig {
        gateway: free.local_addr().unwrap().to_string(),
        timeout: Duration::from_secs(1),
        ..auto(&gateway)
    };
    drop(free);
    let error = connect(&Connector::new(config).unwrap())
        .await
        .err()
        .unwrap();
    let text = error.to_string();
    assert!(!error.is_final());
    assert!(text.contains("QUIC: ") && text.contains("TCP: "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_framing_is_named() {
    let gateway = TestGateway::start().await;
    let certificate = gateway
        .ca
        .issue_server(&[], now() - DAY, now() + DAY)
        .unwrap();
    let slot = CertificateSlot::new(&certificate).unwrap();
    let tls = server_config(&slot, gateway.ca.certificate(), b"terrane-runner/9").unwrap();
    let crypto = QuicServerConfig::try_from(tls).unwrap();
    let server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let later = quinn::Endpoint::server(server, "127.0.0.1:0".parse().unwrap()).unwrap();
    let config = ConnectorConfig {
        gateway: later.local_addr().unwrap().to_string(),
        transport: TransportChoice::Only(Transport::Quic),
        ..auto(&gateway)
    };
    let connector = Connector::new(config).unwrap();
    let serve = async {
        let incoming = later.accept().await.unwrap();
        let _ = incoming.await;
        std::future::pending::<()>().await
    };
    let error = tokio::select! {
        () = serve => unreachable!(),
        outcome = connect(&connector) => outcome.err().unwrap(),
    };
    let text = error.to_string();
    assert!(
        text.contains("does not speak this runner's framing (terrane-runner/1)"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_moves_a_tcp_runner_to_quic() {
    let gateway = TestGateway::start().await;
    let config = ConnectorConfig {
        transport: TransportChoice::Only(Transport::Tcp),
        keepalive: Duration::from_millis(100),
        ..auto(&gateway)
    };
    let (old, first) = connect(&Connector::new(config).unwrap()).await.unwrap();
    let hello = protocol::v1::HelloRequest {
        min_version: 1,
        max_version: 1,
        ..Default::default()
    };
    let probing = old.probe_quic(move |mut client| {
        let hello = hello.clone();
        async move { Ok(client.hello(hello).await?.into_inner()) }
    });
    let (new, second) = soon("the probe", probing).await.unwrap();
    assert_eq!(new.transport(), Transport::Quic);
    assert_eq!(first.runner_id, second.runner_id);
    for connection in [&old, &new] {
        connection
            .control()
            .heartbeat(HeartbeatRequest::default())
            .await
            .unwrap();
    }
    assert_eq!(gateway.stub.hellos.load(Ordering::Relaxed), 2);
}
