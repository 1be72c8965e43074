//! A NAT before the gateway: it relays UDP, and can forget a mapping as real ones do, so that what
//! a runner sends comes from another address all of a sudden.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Larger datagrams than any that is sent.
const DATAGRAM: usize = 65_536;
/// How often a thread looks whether it should end.
const LOOK: Duration = Duration::from_millis(200);

/// Relays until it is dropped.
pub struct Nat {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    inside: UdpSocket,
    gateway: SocketAddr,
    /// The outside of each client.
    mappings: Mutex<HashMap<SocketAddr, Arc<UdpSocket>>>,
    sent: AtomicU64,
}

impl Nat {
    pub fn start(gateway: &str) -> Self {
        let inside = UdpSocket::bind("127.0.0.1:0").unwrap();
        inside.set_read_timeout(Some(LOOK)).unwrap();
        // A burst must not be lost here: losses are another test's.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&inside, 4 << 20);
        let address = inside.local_addr().unwrap();
        let shared = Arc::new(Shared {
            inside,
            gateway: gateway.parse().unwrap(),
            mappings: Mutex::default(),
            sent: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&shared);
        std::thread::spawn(move || {
            let mut buffer = vec![0; DATAGRAM];
            while let Some(shared) = weak.upgrade() {
                shared.outwards(&mut buffer);
            }
        });
        Self { address, shared }
    }

    /// Where the runner finds the gateway.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Bytes that clients have sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Forgets every mapping: the next packet goes out from a new port, and what is still sent to
    /// the old one is lost.
    pub fn rebind(&self) {
        self.shared.mappings.lock().unwrap().clear();
    }
}

impl Shared {
    fn outwards(self: &Arc<Self>, buffer: &mut [u8]) {
        let Ok((length, client)) = self.inside.recv_from(buffer) else {
            return;
        };
        self.sent.fetch_add(length as u64, Ordering::Relaxed);
        let outside = self.mapping(client);
        let _ = outside.send(&buffer[..length]);
    }

    fn mapping(self: &Arc<Self>, client: SocketAddr) -> Arc<UdpSocket> {
        let mut mappings = self.mappings.lock().unwrap();
        let outside = mappings.entry(client).or_insert_with(|| {
            let outside = UdpSocket::bind("127.0.0.1:0").unwrap();
            let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&outside, 4 << 20);
            outside.set_read_timeout(Some(LOOK)).unwrap();
            outside.connect(self.gateway).unwrap();
            let outside = Arc::new(outside);
            self.inwards(Arc::clone(&outside), client);
            outside
        });
        Arc::clone(outside)
    }

    /// Brings answers back for as long as the mapping is there.
    fn inwards(self: &Arc<Self>, outside: Arc<UdpSocket>, client: SocketAddr) {
        let weak = Arc::downgrade(self);
        std::thread::spawn(move || {
            let mut buffer = vec![0; DATAGRAM];
            while let Some(shared) = weak.upgrade() {
                let mappings = shared.mappings.lock().unwrap();
                let valid = mappings.get(&client);
                if !valid.is_some_and(|it| Arc::ptr_eq(it, &outside)) {
                    return;
                }
                drop(mappings);
                if let Ok(length) = outside.recv(&mut buffer) {
                    let _ = shared.inside.send_to(&buffer[..length], client);
                }
            }
        });
    }
}
