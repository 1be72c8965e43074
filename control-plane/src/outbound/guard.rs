//! Which addresses may be called.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::AddressRange;

/// Not of the public internet: the registries of special-purpose addresses (RFC 6890 and its
/// successors), multicast, and the prefixes that carry an IPv4 address inside an IPv6 one.
const SPECIAL: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// Judges addresses, and resolves names to those that may be called.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Arc<[AddressRange]>,
}

impl Guard {
    /// `allowed`: networks of the operator's own that may be called besides the public internet.
    pub fn new(allowed: &[AddressRange]) -> Self {
        Self {
            allowed: allowed.into(),
        }
    }

    pub fn lets_through(&self, address: IpAddr) -> bool {
        let of = |ranges: &[AddressRange]| ranges.iter().any(|it| it.contains(address));
        of(&self.allowed) || !of(&special())
    }
}

fn special() -> Vec<AddressRange> {
    SPECIAL.iter().filter_map(|it| it.parse().ok()).collect()
}

/// A name has no address that may be called.
#[derive(Debug, thiserror::Error)]
#[error(
    "{name} is in a network that may not be called; the operator can allow it in \
     `outbound.allowed_networks`"
)]
pub(super) struct OutOfBounds {
    pub(super) name: String,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<_> = found.filter(|it| guard.lets_through(it.ip())).collect();
            if good.is_empty() {
                let name = name.as_str().to_owned();
                return Err(OutOfBounds { name }.into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(allowed: &[&str], address: &str) -> bool {
        let allowed: Vec<AddressRange> = allowed.iter().map(|it| it.parse().unwrap()).collect();
        Guard::new(&allowed).lets_through(address.parse().unwrap())
    }

    #[test]
    fn every_range_can_be_read() {
        assert_eq!(special().len(), SPECIAL.len());
    }

    #[test]
    fn only_the_public_internet_is_called() {
        for address in [
            "93.184.216.34",
            "2606:2800:220:1::1",
            "::ffff:93.184.216.34",
        ] {
            assert!(through(&[], address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "192.168.0.1",
            "100.100.0.1",
            "0.0.0.0",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "fd00::1",
            "fe80::1",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!through(&[], address), "{address}");
        }
    }

    #[test]
    fn the_operator_may_allow_a_network() {
        assert!(through(&["10.0.0.0/8"], "10.1.2.3"));
        assert!(through(&["10.0.0.0/8"], "::ffff:10.1.2.3"));
        assert!(!through(&["10.0.0.0/8"], "192.168.0.1"));
    }
}
