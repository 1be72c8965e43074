//! Through a proxy that knows CONNECT and wants a password.

use std::net::SocketAddr;

use domain::ids::RunnerId;
use link::Transport;
use link::client::{Connector, ConnectorConfig, TransportChoice};
use protocol::v1::HeartbeatRequest;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use crate::gateway::*;

struct Proxy {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut pairs = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                pairs.spawn(serve(stream));
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }
}

async fn serve(stream: TcpStream) {
    let mut near = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        near.read_line(&mut line).await.unwrap();
        if line == "\r\n" {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let authorized = head
        .iter()
        .any(|line| line == "Proxy-Authorization: Basic bWU6cGFzcw==");
    if !authorized {
        near.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            .await
            .unwrap();
        return;
    }
    let target = head[0]
        .strip_prefix("CONNECT ")
        .unwrap()
        .strip_suffix(" HTTP/1.1")
        .unwrap();
    let mut far = TcpStream::connect(target).await.unwrap();
    near.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        .await
        .unwrap();
    let _ = copy_bidirectional(&mut near, &mut far).await;
}

fn through(gateway: &TestGateway, proxy: &str) -> Connector {
    let identity = gateway.issue(&RunnerId::random());
    let config = gateway.config(TransportChoice::Auto, Some(identity));
    let https_proxy = Some(Url::parse(proxy).unwrap());
    Connector::new(ConnectorConfig {
        https_proxy,
        ..config
    })
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_carries_both_tcp_connections() {
    let gateway = TestGateway::start().await;
    let proxy = Proxy::start().await;
    let connector = through(&gateway, &format!("http://me:pass@{}", proxy.address));
    let (connection, _) = connect(&connector).await.unwrap();
    assert_eq!(connection.transport(), Transport::Tcp);
    assert!(connection.transport_reason().contains("proxy"));
    let mut bulk = connection.open_bulk().await.unwrap();
    bulk.heartbeat(HeartbeatRequest::default()).await.unwrap();
    assert_eq!(gateway.handle.stats().tcp, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_wants_a_password_says_so() {
    let gateway = TestGateway::start().await;
    let proxy = Proxy::start().await;
    let connector = through(&gateway, &format!("http://{}", proxy.address));
    let text = connect(&connector).await.err().unwrap().to_string();
    assert!(
        text.contains("the proxy wants a user name and a password"),
        "{text}"
    );
}
