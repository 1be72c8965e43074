//! The gateway goes: gently, or not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::RunnerId;
use link::Transport;
use link::client::{Connector, ConnectorConfig, TransportChoice};
use link::close::{CloseCode, CloseReason};
use link::server::{Gateway, Limits};
use link::tls::Trust;
use protocol::v1::lease_event::Event;
use protocol::v1::{Drain, LeaseEvent, LeaseRequest};
use tokio_util::sync::CancellationToken;

use crate::gateway::*;
use crate::stub::Stub;

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_runner_is_told_and_then_let_go() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let (connection, _) = connect(&gateway.connector(transport)).await.unwrap();
        let request = LeaseRequest { free_slots: 1 };
        let mut lease = connection
            .control()
            .lease(request)
            .await
            .unwrap()
            .into_inner();
        let drain = Drain {
            reconnect_after_ms: 5,
            reason: "restart".to_owned(),
        };
        let event = LeaseEvent {
            event: Some(Event::Drain(drain)),
        };
        gateway.stub.leases.send(event.clone()).unwrap();
        assert_eq!(
            soon("the drain", lease.message()).await.unwrap(),
            Some(event)
        );
        gateway
            .handle
            .close_all(CloseCode::Restart, Duration::from_millis(20))
            .await;
        let reason = soon("the end", connection.closed()).await;
        assert!(!reason.is_final());
        match transport {
            Transport::Quic => assert_eq!(reason, CloseReason::Gateway(CloseCode::Restart)),
            Transport::Tcp => assert!(matches!(reason, CloseReason::Lost(_)), "{reason}"),
        }
        // It may come back at once: only connections of before were closed.
        connect(&gateway.connector(transport)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_says_goodbye_to_all() {
    let gateway = TestGateway::start().await;
    let (quic, _) = connect(&gateway.connector(Transport::Quic)).await.unwrap();
    let (tcp, _) = connect(&gateway.connector(Transport::Tcp)).await.unwrap();
    gateway.stop().await;
    let reason = soon("QUIC's end", quic.closed()).await;
    assert_eq!(reason, CloseReason::Gateway(CloseCode::Restart));
    let reason = soon("TCP's end", tcp.closed()).await;
    assert!(matches!(reason, CloseReason::Lost(_)), "{reason}");
}

/// A gateway in a runtime of its own, so that it can vanish without a word.
struct Mortal {
    runtime: Option<tokio::runtime::Runtime>,
    address: SocketAddr,
}

impl Mortal {
    fn start(ca: &Arc<link::ca::RunnerCa>, listen: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.unwrap();
        let entered = runtime.enter();
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        // The sockets of the one before are closed by its threads in their own time.
        let gateway = loop {
            match Gateway::bind(config(ca, listen, Limits::default())) {
                Ok(gateway) => break gateway,
                Err(error) if std::time::Instant::now() > deadline => panic!("{error:?}"),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let address = gateway.local_address();
        let stub = Arc::new(Stub::new(Arc::clone(ca)));
        let running = gateway.run(routes(&stub), CancellationToken::new());
        drop(entered);
        drop(runtime.handle().spawn(running));
        Self {
            runtime: Some(runtime),
            address,
        }
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_gateway_is_noticed_by_its_kept_keys() {
    let ca = new_ca();
    let first = Mortal::start(&ca, "127.0.0.1:0".parse().unwrap());
    let address = first.address;
    let identity = issue(&ca, &RunnerId::random(), now() + DAY);
    let trust = Trust::Ca(ca.certificate().clone());
    let connector = Connector::new(ConnectorConfig {
        transport: TransportChoice::Only(Transport::Quic),
        keepalive: Duration::from_millis(200),
        ..ConnectorConfig::new(address.to_string(), trust, Some(identity))
    })
    .unwrap();
    let (connection, _) = connect(&connector).await.unwrap();

    drop(first);
    let _second = Mortal::start(&ca, address);
    let reason = soon("the crash is noticed", connection.closed()).await;
    // Not Idle: that would have taken a minute.
    assert_eq!(reason, CloseReason::Reset);
    connect(&connector).await.unwrap();
}
