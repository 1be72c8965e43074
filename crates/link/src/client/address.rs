//! From `host:port` to a connection: all addresses of a name are tried, a little apart, and the
//! first that works is kept. Names are looked up on each try, so a gateway may move.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};

/// How far apart the addresses of one name are tried (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// More addresses of one name are ignored.
const MAX_ADDRESSES: usize = 8;

/// Splits `host:port`; an IPv6 address stands in brackets.
pub(super) fn split(gateway: &str) -> Option<(&str, u16)> {
    let (host, port) = gateway.rsplit_once(':')?;
    let plain = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let bare = plain.unwrap_or(host);
    let is_bare_v6 = plain.is_none() && host.contains(':');
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!bare.is_empty() && !is_bare_v6).then_some((bare, port))
}

/// Looks a name up; the two address families take turns.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| format!("the name {host} can't be resolved: {error}"))?;
    let addresses = interleave(found);
    if addresses.is_empty() {
        return Err(format!("the name {host} has no address"));
    }
    Ok(addresses)
}

fn interleave(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = addresses.partition(SocketAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = (v6.next(), v4.next());
        mixed.extend(pair.0.into_iter().chain(pair.1));
        if pair == (None, None) || mixed.len() >= MAX_ADDRESSES {
            mixed.truncate(MAX_ADDRESSES);
            return mixed;
        }
    }
}

/// Dials the addresses one after the other, each a moment after the one before or at once when
/// that failed; the first success wins, the others are dropped.
pub(super) async fn first_of<T, E, Fut>(
    addresses: &[SocketAddr],
    dial: impl Fn(SocketAddr) -> Fut,
) -> Result<T, String>
where
    E: Display,
    Fut: Future<Output = Result<T, E>>,
{
    let mut waiting = addresses.iter().copied();
    let mut running = FuturesUnordered::new();
    let mut failures = Vec::new();
    let start = |address: SocketAddr| {
        let dialling = dial(address);
        async move {
            dialling
                .await
                .map_err(|error| format!("{address}: {error}"))
        }
    };
    running.extend(waiting.next().map(start));
    loop {
        let outcome = tokio::select! {
            outcome = running.next() => outcome,
            () = tokio::time::sleep(STAGGER), if waiting.len() > 0 => {
                running.extend(waiting.next().map(start));
                continue;
            }
        };
        match outcome {
            Some(Ok(won)) => return Ok(won),
            Some(Err(failure)) => failures.push(failure),
            None => return Err(failures.join(", ")),
        }
        running.extend(waiting.next().map(start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_host_and_port() {
        assert_eq!(split("gw.example.com:8444"), Some(("gw.example.com", 8444)));
        assert_eq!(split("[::1]:8444"), Some(("::1", 8444)));
        for wrong in [
            "gw", "gw:", ":1", "gw:0", "gw:70000", "::1", "::1:8444", "[]:1",
        ] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn families_take_turns() {
        let all = ["1.1.1.1:1", "1.1.1.2:1", "[::1]:1"].map(|text| text.parse().unwrap());
        let mixed: Vec<String> = interleave(all.into_iter())
            .iter()
            .map(|a| a.to_string())
            .collect();
        assert_eq!(mixed, ["[::1]:1", "1.1.1.1:1", "1.1.1.2:1"]);
    }

    #[tokio::test]
    async fn the_first_address_that_works_is_kept() {
        let addresses = ["1.1.1.1:1", "1.1.1.2:1"].map(|text| text.parse().unwrap());
        let second = addresses[1];
        let won = first_of(&addresses, |address| async move {
            if address == second {
                Ok(address)
            } else {
                Err("no")
            }
        });
        assert_eq!(won.await, Ok(second));
        let lost = first_of(&addresses, |_| async { Err::<(), _>("no") });
        assert_eq!(lost.await, Err("1.1.1.1:1: no, 1.1.1.2:1: no".to_owned()));
    }
}
