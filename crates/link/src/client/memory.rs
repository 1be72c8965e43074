//! Which transport won in which network, for a day. A small JSON file; a lost or damaged one costs
//! a quarter of a second, so it is never an error.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Transport;

const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// More networks than a machine plausibly has; the oldest go.
const MAX_NETWORKS: usize = 32;
const MAX_BYTES: u64 = 64 * 1024;

/// What is remembered, by network key.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    networks: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    winner: Transport,
    /// Seconds since the epoch.
    at: u64,
}

impl Memory {
    /// Reads the file; nothing, or something unreadable, is an empty memory.
    pub(super) fn load(path: &Path) -> Self {
        let small = std::fs::metadata(path).is_ok_and(|file| file.len() <= MAX_BYTES);
        let text = if small {
            std::fs::read(path).unwrap_or_default()
        } else {
            Vec::new()
        };
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Replaces the file as a whole.
    pub(super) fn store(&self, path: &Path) -> std::io::Result<()> {
        let scratch = path.with_extension("new");
        let mut file = std::fs::File::create(&scratch)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        std::fs::rename(&scratch, path)
    }

    pub(super) fn winner(&self, network: &str, now: SystemTime) -> Option<Transport> {
        let entry = self.networks.get(network)?;
        is_fresh(entry, seconds(now)).then_some(entry.winner)
    }

    pub(super) fn record(&mut self, network: String, winner: Transport, now: SystemTime) {
        let now = seconds(now);
        self.networks.retain(|_, entry| is_fresh(entry, now));
        self.networks.insert(network, Entry { winner, at: now });
        while self.networks.len() > MAX_NETWORKS {
            let oldest = self
                .networks
                .iter()
                .min_by_key(|(_, e)| e.at)
                .map(|(key, _)| key.clone());
            oldest.map(|key| self.networks.remove(&key));
        }
    }
}

fn is_fresh(entry: &Entry, now: u64) -> bool {
    // A clock that went back makes an entry from the future: not to be trusted either.
    entry.at <= now && now - entry.at < LIFE.as_secs()
}

fn seconds(moment: SystemTime) -> u64 {
    moment
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// Names the network that leads to the gateway: the gateway, and our own address towards it. The
/// kernel tells the latter without sending a packet.
pub(super) fn network_key(gateway: &str, address: SocketAddr) -> Option<String> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(address).ok()?;
    Some(format!("{gateway} from {}", socket.local_addr().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn start() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    #[test]
    fn a_winner_is_remembered_for_a_day() {
        let mut memory = Memory::default();
        memory.record("office".to_owned(), Transport::Tcp, start());
        assert_eq!(
            memory.winner("office", start() + 23 * HOUR),
            Some(Transport::Tcp)
        );
        assert_eq!(memory.winner("office", start() + 24 * HOUR), None);
        assert_eq!(memory.winner("office", start() - HOUR), None);
        assert_eq!(memory.winner("home", start()), None);
    }

    #[test]
    fn the_file_round_trips_and_damage_is_forgiven() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("network.json");
        assert_eq!(Memory::load(&path), Memory::default());
        let mut memory = Memory::default();
        memory.record("office".to_owned(), Transport::Quic, start());
        memory.store(&path).unwrap();
        assert_eq!(Memory::load(&path), memory);
        std::fs::write(&path, b"{\"networks\": [").unwrap();
        assert_eq!(Memory::load(&path), Memory::default());
    }

    #[test]
    fn it_stays_small() {
        let mut memory = Memory::default();
        for number in 0..100 {
            let later = start() + Duration::from_secs(number);
            memory.record(format!("network {number}"), Transport::Quic, later);
        }
        assert_eq!(memory.networks.len(), MAX_NETWORKS);
        assert_eq!(
            memory.winner("network 99", start() + HOUR),
            Some(Transport::Quic)
        );
        assert_eq!(memory.winner("network 0", start() + HOUR), None);
    }

    #[test]
    fn loopback_is_a_network() {
        let key = network_key("gw:1", "127.0.0.1:1".parse().unwrap());
        assert_eq!(key.as_deref(), Some("gw:1 from 127.0.0.1"));
    }
}
