//! Networks that are not kind.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// A way to the gateway that lets TCP through and swallows UDP.
pub(crate) struct TcpOnly {
    pub(crate) address: SocketAddr,
    _udp: Arc<UdpSocket>,
    _tasks: JoinSet<()>,
}

impl TcpOnly {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let (listener, udp) = loop {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            if let Ok(udp) = UdpSocket::bind(address).await {
                break (listener, udp);
            }
        };
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut pairs = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                pairs.spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self {
            address,
            _udp: Arc::new(udp),
            _tasks: tasks,
        }
    }
}
