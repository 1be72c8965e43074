//! What TLS must not do, seen from a client of our own making.

use std::sync::Arc;

use domain::ids::RunnerId;
use link::ca::SERVER_NAME;
use link::tls::client_config;
use rustls::HandshakeKind;
use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::gateway::*;

async fn dial(gateway: &TestGateway, config: &Arc<rustls::ClientConfig>) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .unwrap()
}

fn tls(gateway: &TestGateway) -> rustls::ClientConfig {
    let identity = gateway.issue(&RunnerId::random());
    client_config(&gateway.trust(), Some(&identity), protocol::ALPN_TCP).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_never_resumed() {
    let gateway = TestGateway::start().await;
    let mut config = tls(&gateway);
    config.resumption = Resumption::in_memory_sessions(16);
    let config = Arc::new(config);
    for _ in 0..3 {
        let mut stream = dial(&gateway, &config).await;
        // The server's first frame comes after its tickets, if it sent any.
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
        stream.read_u8().await.unwrap();
        assert_eq!(
            stream.get_ref().1.handshake_kind(),
            Some(HandshakeKind::Full)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tcp_client_without_alpn_is_refused() {
    let gateway = TestGateway::start().await;
    let mut config = tls(&gateway);
    config.alpn_protocols.clear();
    let mut stream = dial(&gateway, &Arc::new(config)).await;
    let mut rest = Vec::new();
    // Closed cleanly or torn, but nothing is served.
    let _ = soon("the gateway hangs up", stream.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    until("the refusal is counted", || {
        gateway.handle.stats().handshakes_failed == 1
    })
    .await;
    assert_eq!(gateway.handle.stats().tcp, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_is_refused() {
    let gateway = TestGateway::start().await;
    let ca = gateway.ca.certificate().clone();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol::ALPN_TCP.to_vec()];
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let connected = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await;
    assert!(connected.is_err());
}
