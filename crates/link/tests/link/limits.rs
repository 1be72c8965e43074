//! What a peer may cost.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::RunnerId;
use link::Transport;
use link::ca::SERVER_NAME;
use link::client::{Connector, TransportChoice};
use link::close::{CloseCode, CloseReason};
use link::server::Limits;
use link::tls::client_config;
use quinn::crypto::rustls::QuicClientConfig;

use crate::gateway::*;

#[tokio::test(flavor = "multi_thread")]
async fn one_runner_holds_so_many_connections() {
    let limits = Limits {
        per_runner: 2,
        ..Default::default()
    };
    let gateway = TestGateway::with_limits(limits).await;
    for transport in BOTH {
        let connector = gateway.connector(transport);
        let (first, _) = connect(&connector).await.unwrap();
        let (_second, _) = connect(&connector).await.unwrap();
        let error = connect(&connector).await.err().unwrap();
        assert!(!error.is_final(), "{error}");
        drop(first);
        soon("room again", async {
            while connect(&connector).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unidentified_are_few_and_short_lived() {
    let unidentified_life = Duration::from_millis(500);
    let limits = Limits {
        unidentified: 1,
        unidentified_life,
        ..Default::default()
    };
    let gateway = TestGateway::with_limits(limits).await;
    for transport in BOTH {
        let config = gateway.config(TransportChoice::Only(transport), None);
        let connector = Connector::new(config).unwrap();
        until("nobody is there", || {
            gateway.handle.stats().unidentified == 0
        })
        .await;
        let enrolling = connector.connect_for_enrollment().await.unwrap();
        let reason = soon("its time is over", enrolling.connection.closed()).await;
        match transport {
            Transport::Quic => assert_eq!(reason, CloseReason::Gateway(CloseCode::Silent)),
            Transport::Tcp => assert!(matches!(reason, CloseReason::Lost(_)), "{reason}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_makes_no_call_is_let_go() {
    let limits = Limits {
        first_call: Duration::from_millis(100),
        ..Default::default()
    };
    let gateway = TestGateway::with_limits(limits).await;
    let identity = gateway.issue(&RunnerId::random());
    let tls = client_config(&gateway.trust(), Some(&identity), protocol::ALPN_QUIC).unwrap();
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    let connection = endpoint
        .connect_with(config, gateway.address, SERVER_NAME)
        .unwrap()
        .await
        .unwrap();
    let quinn::ConnectionError::ApplicationClosed(close) =
        soon("it is let go", connection.closed()).await
    else {
        panic!("closed in another way")
    };
    assert_eq!(
        close.error_code.into_inner(),
        u64::from(CloseCode::Silent.code())
    );
}

/// Peers that connect and say nothing hold no permit for long: others still get in.
#[tokio::test(flavor = "multi_thread")]
async fn mute_tcp_peers_keep_nobody_out() {
    let limits = Limits {
        handshakes_per_core: 1,
        ..Default::default()
    };
    let gateway = TestGateway::with_limits(limits).await;
    let mut mute = Vec::new();
    for _ in 0..8 {
        mute.push(
            tokio::net::TcpStream::connect(gateway.address)
                .await
                .unwrap(),
        );
    }
    let connector = gateway.connector(Transport::Quic);
    connect(&connector).await.unwrap();
    let mut config = gateway.config(
        TransportChoice::Only(Transport::Tcp),
        Some(gateway.issue(&RunnerId::random())),
    );
    config.timeout = Duration::from_secs(50);
    connect(&Connector::new(config).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_server_certificate_is_used_at_once() {
    let gateway = TestGateway::start().await;
    let expired = gateway
        .ca
        .issue_server(&[], now() - DAY * 2, now() - DAY)
        .unwrap();
    let good = gateway
        .ca
        .issue_server(&[], now() - DAY, now() + DAY)
        .unwrap();
    for transport in BOTH {
        gateway.handle.replace_certificate(&expired).unwrap();
        let text = connect(&gateway.connector(transport))
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(text.to_lowercase().contains("expired"), "{text}");
        gateway.handle.replace_certificate(&good).unwrap();
        connect(&gateway.connector(transport)).await.unwrap();
    }
}
