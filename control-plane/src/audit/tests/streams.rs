//! Records arrive at webhooks and in buckets, all of them, in order, and nowhere inside.

use chrono::TimeDelta;
use db::Db;
use domain::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use testkit::{Delivery, HttpsServer, both_databases};

use super::*;
use crate::outbound::{Guard, Outbound};
use crate::schema::MIGRATOR;
use crate::tenancy::SealedPlace;

const SECRET: &str = "a-secret-of-the-webhook";

fn outbound(server: &HttpsServer) -> Outbound {
    let ranges = ["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
    Outbound::new(Guard::new(&ranges), Some(server.ca_pem().as_bytes())).unwrap()
}

async fn make(app: &TestApp, team: &Team, attributes: Value) -> Answer {
    app.post("/api/v2/audit-streams")
        .by(&team.admin)
        .attributes("audit-streams", attributes)
        .await
}

fn webhook(server: &HttpsServer, from: &str) -> Value {
    json!({ "name": "siem", "kind": "webhook", "url": server.url("/hook"), "secret": SECRET,
        "from": from })
}

async fn status(app: &TestApp, team: &Team, id: &str) -> Answer {
    let path = format!("/api/v2/audit-streams/{id}");
    app.get(path).by(&team.admin).await.expect(200)
}

/// Seals and sends, whatever is waited for.
async fn pass(app: &TestApp) {
    audit::seal_new(app).await.unwrap();
    let mut tx = app.db.begin().await.unwrap();
    tx.query("UPDATE audit_streams SET next_attempt_at = $1 WHERE next_attempt_at > $1")
        .bind(app.clock.now())
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    audit::deliver_due(app).await.unwrap();
}

fn lines(deliveries: &[Delivery]) -> Vec<String> {
    let lines = deliveries.iter().flat_map(|it| it.body.lines());
    lines.map(str::to_owned).collect()
}

both_databases! { MIGRATOR;
    async fn a_webhook_gets_everything_in_order_and_signed(db: Db) {
        let server = HttpsServer::start().await;
        server.take_deliveries(204);
        let app = TestApp::with_outbound(db, outbound(&server));
        let team = app.team().await;
        deeds(&app, &team, 2).await;
        let made = make(&app, &team, webhook(&server, "beginning")).await.expect(201);
        assert!(!made.text().contains(SECRET));
        pass(&app).await;
        deeds_more(&app, &team).await;
        pass(&app).await;
        let sent = server.deliveries();
        assert_eq!(sent.len(), 2);
        let arrived = lines(&sent);
        let proof = verified(&arrived).unwrap();
        assert_eq!((proof.first, proof.records), (1, arrived.len() as u64));
        assert_eq!(export(&app, &team).await[..arrived.len()], arrived[..]);
        for delivery in &sent {
            let header = |name: &str| delivery.headers[name].clone();
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
            mac.update(format!("{}.{}", header("terrane-timestamp"), delivery.body).as_bytes());
            let expected = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
            assert_eq!(header("terrane-signature"), expected);
            let first = parsed(delivery.body.lines().next().unwrap())["sequence"].to_string();
            assert_eq!(header("terrane-first-sequence"), first);
            assert_eq!(header("terrane-account"), team.account.id.to_string());
        }
        let good = status(&app, &team, &made.id()).await;
        assert_eq!(good.attribute("failures"), 0);
        assert_eq!(good.attribute("delivered-sequence"), proof.last);
    }

    async fn what_fails_is_sent_again_and_nothing_is_passed_over(db: Db) {
        let server = HttpsServer::start().await;
        server.take_deliveries(503);
        let app = TestApp::with_outbound(db, outbound(&server));
        let team = app.team().await;
        let made = make(&app, &team, webhook(&server, "beginning")).await.expect(201).id();
        for _ in 0..3 {
            deeds_more(&app, &team).await;
            pass(&app).await;
        }
        let failing = status(&app, &team, &made).await;
        assert_eq!(failing.attribute("status"), "failing");
        assert_eq!(failing.attribute("failures"), 3);
        assert_eq!(failing.attribute("delivered-sequence"), 0);
        assert!(failing.attribute("last-error").to_string().contains("503"));
        let next: crate::clock::Timestamp =
            failing.attribute("next-attempt-at").as_str().unwrap().parse().unwrap();
        assert!(next > app.clock.now() + TimeDelta::milliseconds(500));
        let failed = server.deliveries().len();
        // Before its time nothing is tried.
        audit::deliver_due(&app).await.unwrap();
        assert_eq!(server.deliveries().len(), failed);
        server.take_deliveries(200);
        pass(&app).await;
        let arrived = lines(&server.deliveries()[failed..]);
        assert_eq!(verified(&arrived).unwrap().first, 1);
        let well = status(&app, &team, &made).await;
        assert_eq!(well.attribute("status"), "up-to-date");
        assert!(well.attribute("last-error").is_null());
    }

    async fn replicas_send_a_stream_one_at_a_time(db: Db) {
        let server = HttpsServer::start().await;
        server.take_deliveries(200);
        let app = TestApp::with_outbound(db, outbound(&server));
        let team = app.team().await;
        make(&app, &team, webhook(&server, "beginning")).await.expect(201);
        audit::seal_new(&app).await.unwrap();
        let passes = (0..4).map(|_| audit::deliver_due(&app));
        for passed in futures::future::join_all(passes).await {
            passed.unwrap();
        }
        assert_eq!(server.deliveries().len(), 1);
    }

    async fn a_paused_stream_waits_and_a_new_one_begins_now(db: Db) {
        let server = HttpsServer::start().await;
        server.take_deliveries(200);
        let app = TestApp::with_outbound(db, outbound(&server));
        let team = app.team().await;
        deeds(&app, &team, 2).await;
        audit::seal_new(&app).await.unwrap();
        let made = make(&app, &team, webhook(&server, "now")).await.expect(201).id();
        let path = format!("/api/v2/audit-streams/{made}");
        let pause = |paused: bool| app.patch(&path).by(&team.admin)
            .attributes("audit-streams", json!({ "paused": paused }));
        assert_eq!(pause(true).await.expect(200).attribute("status"), "paused");
        pass(&app).await;
        assert!(server.deliveries().is_empty());
        pause(false).await.expect(200);
        pass(&app).await;
        let arrived = lines(&server.deliveries());
        assert_eq!(parsed(&arrived[0])["action"], "audit-stream.create");
        app.delete(&path).by(&team.admin).await.expect(204);
        pass(&app).await;
        assert_eq!(server.deliveries().len(), 1);
        for action in ["create", "update", "delete"] {
            let action = format!("audit-stream.{action}");
            assert!(app.audited(&team.tenant, &action).await > 0, "{action}");
        }
    }

    async fn a_bucket_gets_objects_that_can_be_proved(db: Db) {
        let server = HttpsServer::start().await;
        server.take_deliveries(200);
        let app = TestApp::with_outbound(db, outbound(&server));
        let team = app.team().await;
        let attributes = json!({ "name": "archive", "kind": "s3", "bucket": "audit-log",
            "region": "eu-central-1", "endpoint": server.url("/"), "prefix": "terrane",
            "access-key-id": "AKIA0123456789", "secret": "the-secret-access-key", "from": "beginning" });
        let made = make(&app, &team, attributes).await.expect(201);
        assert!(!made.text().contains("the-secret"));
        pass(&app).await;
        let sent = server.deliveries();
        assert_eq!((sent.len(), sent[0].method.as_str()), (1, "PUT"));
        let begin = format!("/audit-log/terrane/{}/", team.account.id);
        assert!(sent[0].path.starts_with(&begin), "{}", sent[0].path);
        assert!(sent[0].path.contains("/000000000001-"), "{}", sent[0].path);
        let authorization = &sent[0].headers["authorization"];
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIA0123456789/"));
        assert_eq!(verified(&lines(&sent)).unwrap().first, 1);
        server.take_deliveries(403);
        deeds_more(&app, &team).await;
        pass(&app).await;
        let refused = status(&app, &team, &made.id()).await;
        assert_eq!(refused.attribute("last-error"), "the bucket refuses these keys");
    }

    async fn nothing_inside_is_called(db: Db) {
        let server = HttpsServer::start().await;
        server.take_deliveries(200);
        let app = TestApp::new(db);
        let team = app.team().await;
        let bucket = |endpoint: &str| json!({ "name": "b", "kind": "s3", "bucket": "log",
            "region": "us-east-1", "endpoint": endpoint, "access-key-id": "AKIA0123456789",
            "secret": "the-secret-access-key", "from": "beginning" });
        let hook = |url: &str| json!({ "name": "w", "kind": "webhook", "url": url,
            "secret": SECRET, "from": "beginning" });
        for url in ["https://127.0.0.1/", "https://169.254.169.254/x", "https://[::1]:8443/",
            "http://example.com/", "https://a:b@example.com/", "no url"] {
            let refused = make(&app, &team, hook(url)).await.expect(422);
            assert_eq!(refused.pointer(), "/data/attributes/url", "{url}");
            let refused = make(&app, &team, bucket(url)).await.expect(422);
            assert_eq!(refused.pointer(), "/data/attributes/endpoint", "{url}");
        }
        // A name is judged by what it resolves to, when it is called.
        let port = server.port();
        for attributes in [hook(&format!("https://localhost:{port}/")),
            bucket(&format!("https://localhost:{port}"))] {
            let made = make(&app, &team, attributes).await.expect(201).id();
            pass(&app).await;
            let failed = status(&app, &team, &made).await;
            let reason = failed.attribute("last-error").to_string();
            assert!(reason.contains("outbound.allowed_networks"), "{reason}");
        }
        let odd = json!({ "name": "c", "kind": "s3", "bucket": "log", "region": "x.evil.test/",
            "access-key-id": "AKIA0123456789", "secret": "the-secret-access-key" });
        let refused = make(&app, &team, odd).await.expect(422);
        assert_eq!(refused.pointer(), "/data/attributes/region");
        assert!(server.requests().is_empty());
    }

    async fn wrong_values_are_named_and_secrets_sealed(db: Db) {
        let server = HttpsServer::start().await;
        let app = TestApp::with_outbound(db, outbound(&server));
        let team = app.team().await;
        let url = server.url("/hook");
        for (attributes, pointer) in [
            (json!({ "name": "", "kind": "webhook", "url": url, "secret": SECRET }), "name"),
            (json!({ "name": "a", "kind": "mail", "secret": SECRET }), "kind"),
            (json!({ "name": "a", "kind": "webhook", "secret": SECRET }), "url"),
            (json!({ "name": "a", "kind": "webhook", "url": url }), "secret"),
            (json!({ "name": "a", "kind": "webhook", "url": url, "secret": "short" }), "secret"),
            (json!({ "name": "a", "kind": "webhook", "url": url, "secret": SECRET,
                "bucket": "b" }), "bucket"),
            (json!({ "name": "a", "kind": "webhook", "url": url, "secret": SECRET,
                "from": "yesterday" }), "from"),
        ] {
            let refused = make(&app, &team, attributes).await.expect(422);
            assert_eq!(refused.pointer(), format!("/data/attributes/{pointer}"));
        }
        let made = make(&app, &team, webhook(&server, "now")).await.expect(201);
        let taken = make(&app, &team, webhook(&server, "now")).await.expect(422);
        assert_eq!(taken.code(), "audit.name-taken");
        let mut conn = app.db.acquire().await.unwrap();
        let sealed: Vec<u8> = conn.query("SELECT sealed_secret FROM audit_streams")
            .fetch_scalar().await.unwrap();
        let place = SealedPlace::new("audit-stream", made.id());
        let opened: Secret = app.keys.open_text(&mut conn, &team.tenant, &place, &sealed).await.unwrap();
        assert_eq!(opened.expose(), SECRET);
        let stranger = app.team().await;
        let path = format!("/api/v2/audit-streams/{}", made.id());
        app.get(&path).by(&stranger.admin).await.expect(404);
        app.get(&path).by(&team.reader).await.expect(404);
        let list = app.get("/api/v2/audit-streams").by(&team.admin).await.expect(200);
        assert_eq!(list.each("name"), ["siem"]);
    }
}

async fn deeds_more(app: &TestApp, team: &Team) {
    let path = format!("/api/v2/workspaces/{}/actions", team.workspace.id);
    for action in ["lock", "unlock"] {
        app.post(format!("{path}/{action}"))
            .by(&team.admin)
            .await
            .expect(200);
    }
}
