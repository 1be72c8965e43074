//! Against a real server on this machine, which the guard keeps from being called unless allowed.

use testkit::{HttpsServer, TestCertificate};

use super::*;

const HERE: &[&str] = &["127.0.0.0/8", "::1"];

fn outbound(allowed: &[&str], ca_pem: &str) -> Outbound {
    let allowed: Vec<_> = allowed.iter().map(|it| it.parse().unwrap()).collect();
    Outbound::new(Guard::new(&allowed), Some(ca_pem.as_bytes())).unwrap()
}

#[tokio::test]
async fn what_is_allowed_is_fetched_within_bounds() {
    let server = HttpsServer::start().await;
    server.answer("/large", 200, &"x".repeat(1000));
    server.answer("/moved", 302, "https://127.0.0.1/large");
    let outbound = outbound(HERE, server.ca_pem());
    let get = async |path: &str, limit: usize| {
        let token = Secret::new("t0ken".to_owned());
        let url = server.url(path).parse().unwrap();
        outbound.get(&url, Some(&token), limit).await
    };
    assert_eq!(get("/large", 1000).await.unwrap().len(), 1000);
    assert_eq!(server.requests(), ["/large Bearer t0ken"]);
    let large = get("/large", 999).await.unwrap_err();
    assert!(matches!(large, OutboundError::TooLarge { .. }), "{large}");
    let moved = get("/moved", 1000).await.unwrap_err();
    assert!(moved.to_string().contains("302 (redirects"), "{moved}");
    assert_eq!(server.requests().len(), 3);
    let missing = get("/x", 1000).await.unwrap_err().to_string();
    assert_eq!(missing, "it answers with status 404");
}

#[tokio::test]
async fn this_machine_is_not_called_by_any_name() {
    let server = HttpsServer::start().await;
    let outbound = outbound(&["10.0.0.0/8"], server.ca_pem());
    let port = server.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
    ] {
        let url: Url = format!("https://{host}:{port}/").parse().unwrap();
        let refused = outbound.get(&url, None, 100).await.unwrap_err();
        let blocked = matches!(refused, OutboundError::OutOfBounds(_));
        assert!(blocked, "{host}: {refused}");
    }
    for text in [
        "http://example.com/",
        "https://user@example.com/",
        "file:///etc/passwd",
    ] {
        let url = text.parse().unwrap();
        let refused = outbound.get(&url, None, 100).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Url), "{text}: {refused}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let server = HttpsServer::start().await;
    let outbound = outbound(HERE, &TestCertificate::new().ca_pem);
    let url = server.url("/").parse().unwrap();
    let refused = outbound.get(&url, None, 100).await.unwrap_err();
    assert!(
        matches!(refused, OutboundError::Unreachable(_)),
        "{refused}"
    );
    let broken = b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
    assert!(Outbound::new(Guard::default(), Some(broken)).is_err());
}
