//! Who the client is when a reverse proxy stands in between.
//!
//! Only configured proxies are believed: everybody else could write what they like into the header
//! and appear in the audit trail under a foreign address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{self, Next};
use http::HeaderMap;

use crate::config::AddressRange;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Around a router: requests that come from one of `proxies` get the client's address in place of
/// the proxy's.
pub fn believe_proxies(router: Router, proxies: Vec<AddressRange>) -> Router {
    if proxies.is_empty() {
        return router;
    }
    let proxies: Arc<[AddressRange]> = proxies.into();
    router.layer(middleware::from_fn(
        move |mut request: Request, next: Next| {
            let proxies = Arc::clone(&proxies);
            async move {
                let peer = request
                    .extensions()
                    .get::<ConnectInfo<SocketAddr>>()
                    .map(|it| it.0);
                if let Some(peer) = peer
                    && let Some(client) = client_behind(peer.ip(), request.headers(), &proxies)
                {
                    request
                        .extensions_mut()
                        .insert(ConnectInfo(SocketAddr::new(client, peer.port())));
                }
                next.run(request).await
            }
        },
    ))
}

/// The last address of the chain that isn't one of our proxies: each proxy appends whom it heard
/// from, so what stands before the first stranger is the stranger's own claim.
fn client_behind(peer: IpAddr, headers: &HeaderMap, proxies: &[AddressRange]) -> Option<IpAddr> {
    let trusted = |address: IpAddr| proxies.iter().any(|range| range.contains(address));
    if !trusted(peer) {
        return None;
    }
    let mut client = None;
    let chain: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in chain.into_iter().rev() {
        let address = address_of(hop.trim())?;
        client = Some(address);
        if !trusted(address) {
            break;
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address_of(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<SocketAddr>().map(|it| it.ip()).or_else(|_| {
        hop.trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
    });
    address.ok().map(|it| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, chain: &[&str]) -> Option<String> {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in chain {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        client_behind(peer.parse().unwrap(), &headers, &proxies).map(|it| it.to_string())
    }

    #[test]
    fn a_proxy_tells_of_its_client() {
        assert_eq!(
            client("10.0.0.1", &["192.0.2.7"]).as_deref(),
            Some("192.0.2.7")
        );
        assert_eq!(
            client("fd00::1", &["[2001:db8::1]:99"]).as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(
            client("10.0.0.1", &["192.0.2.7, 10.0.0.9"]).as_deref(),
            Some("192.0.2.7")
        );
        assert_eq!(
            client("10.0.0.1", &["192.0.2.7", "10.0.0.9"]).as_deref(),
            Some("192.0.2.7")
        );
    }

    #[test]
    fn what_a_client_claims_is_not_believed() {
        assert_eq!(client("192.0.2.66", &["192.0.2.7"]), None);
        let chain = ["127.0.0.1, 192.0.2.66"];
        assert_eq!(client("10.0.0.1", &chain).as_deref(), Some("192.0.2.66"));
        assert_eq!(client("10.0.0.1", &["192.0.2.7, nonsense"]), None);
        assert_eq!(client("10.0.0.1", &[]), None);
    }
}
