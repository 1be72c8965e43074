//! What is not believed.

use db::Db;
use http::header;
use serde_json::{Value, json};
use testkit::both_databases;

use super::fake::{Browser, Fake, Key};
use crate::schema::MIGRATOR;

both_databases! { MIGRATOR;
    async fn a_token_that_is_not_quite_right_opens_nothing(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let now = app.clock.now().timestamp();
        let wrong = [
            ("nonce", json!("another")), ("nonce", Value::Null), ("iss", json!("https://evil.test")),
            ("aud", json!("somebody-else")), ("aud", json!(["terrane", "somebody-else"])),
            ("azp", json!("somebody-else")), ("exp", json!(now - 61)), ("exp", Value::Null),
            ("iat", json!(now + 300)), ("iat", json!(now - 7200)), ("nbf", json!(now + 300)),
            ("sub", json!("")), ("sub", Value::Null),
        ];
        for (name, value) in wrong {
            let mut browser = Browser::at(&team);
            let trip = browser.leave(&app, &provider, "").await;
            let mut claims = fake.claims(&app, &trip.query["nonce"], "ada");
            claims[name] = value.clone();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            }
            fake.give(&fake.key.sign(&claims));
            let answer = browser.come_back(&app, &trip, "&code=c").await;
            assert!(answer.status.is_client_error() || answer.status.is_server_error(), "{name}");
            assert!(browser.cookie("session").is_none(), "{name}: {value}");
        }
        let mut browser = Browser::at(&team);
        browser.sign_in(&app, &fake, &provider, "ada").await.expect(200);
        assert_eq!(browser.user(&app).await.as_deref(), Some("ada"));
        // What was not believed is written down, with our own words for why.
        assert!(app.audited(&team.tenant, "user.sign-in").await > 10);
    }

    async fn only_the_providers_own_signature_counts(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let mut browser = Browser::at(&team);
        let trip = browser.leave(&app, &provider, "").await;
        let claims = fake.claims(&app, &trip.query["nonce"], "ada");
        let stranger = Key::new("one");
        let good = fake.key.sign(&claims);
        let mut parts = good.split('.');
        let (_, body) = (parts.next(), parts.next().unwrap());
        let encode = |text: &str| {
            use base64::Engine as _;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
        };
        let none = format!("{}.{body}.", encode(r#"{"alg":"none","kid":"one"}"#));
        // Signed with what is public, as if it were a shared secret.
        let secret = fake.key.jwk().to_string();
        let hmac = jsonwebtoken::encode(
            &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256), &claims,
            &jsonwebtoken::EncodingKey::from_secret(secret.as_bytes()).unwrap()).unwrap();
        for token in [stranger.sign(&claims), none, hmac, "x.y.z".to_owned(), String::new()] {
            fake.give(&token);
            let mut same = browser.clone();
            same.come_back(&app, &trip, "&code=c").await.expect(502);
            assert!(same.cookie("session").is_none(), "{token}");
        }
        fake.give(&good);
        browser.come_back(&app, &trip, "&code=c").await.expect(200);
    }

    async fn keys_may_change_and_old_ones_are_forgotten(db: Db) {
        let mut fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let ask = async |fake: &Fake| {
            let mut browser = Browser::at(&team);
            browser.sign_in(&app, fake, &provider, "ada").await.status.as_u16()
        };
        assert_eq!(ask(&fake).await, 200);
        let fetched = |fake: &Fake| fake.server.requests().iter().filter(|it| it.starts_with("/keys"))
            .count();
        assert_eq!(fetched(&fake), 1);
        assert_eq!(ask(&fake).await, 200);
        assert_eq!(fetched(&fake), 1, "keys are kept");
        let old = std::mem::replace(&mut fake.key, Key::new("two"));
        fake.publish_keys(&[&fake.key]);
        app.sign_in.forget_keys();
        assert_eq!(ask(&fake).await, 200);
        fake.key = old;
        assert_eq!(ask(&fake).await, 502, "the old key is not published any more");
        // Made-up key ids are no way to make us call the provider again and again.
        let before = fetched(&fake);
        for _ in 0..3 {
            assert_eq!(ask(&fake).await, 502);
        }
        assert_eq!(fetched(&fake), before);
    }

    async fn an_answer_belongs_to_one_browser_one_provider_and_one_sign_in(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let other = fake.provider(&app, &team, json!({ "name": "Other" })).await;
        let mut browser = Browser::at(&team);
        let trip = browser.leave(&app, &provider, "").await;
        let claims = fake.claims(&app, &trip.query["nonce"], "ada");
        fake.give(&fake.key.sign(&claims));
        // Somebody else's answer: a browser without the cookie, with one of its own, with a forged one.
        Browser::at(&team).come_back(&app, &trip, "&code=c").await.expect(400);
        let mut mallory = Browser::at(&team);
        mallory.leave(&app, &provider, "").await;
        mallory.come_back(&app, &trip, "&code=c").await.expect(400);
        let mut forger = browser.clone();
        let own = browser.cookie("flow").unwrap();
        forger.set_cookie("flow", &format!("{}x{}", &own[..40], &own[41..]));
        forger.come_back(&app, &trip, "&code=c").await.expect(400);
        // At another provider's address.
        let mut lost = browser.clone();
        let path = format!("/sign-in/providers/{other}/callback?state={}&code=c", trip.query["state"]);
        lost.get(&app, &path).await.expect(400);
        // From another issuer (mix-up).
        let mut mixed = browser.clone();
        let evil = "&code=c&iss=https%3A%2F%2Fevil.test";
        let told = mixed.come_back(&app, &trip, evil).await.expect(502);
        assert!(told.text().contains("not of the provider"), "{}", told.text());
        assert!(!fake.server.requests().iter().any(|it| it.starts_with("/token")));
        // And a second time with the same code: the flow is over.
        browser.come_back(&app, &trip, "&code=c").await.expect(200);
        browser.come_back(&app, &trip, "&code=c").await.expect(400);
    }

    async fn a_provider_that_always_names_itself_must(db: Db) {
        let fake = Fake::start().await;
        fake.publish(&json!({ "authorization_response_iss_parameter_supported": true }));
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let mut browser = Browser::at(&team);
        browser.sign_in(&app, &fake, &provider, "ada").await.expect(502);
        let trip = browser.leave(&app, &provider, "").await;
        let claims = fake.claims(&app, &trip.query["nonce"], "ada");
        fake.give(&fake.key.sign(&claims));
        let iss = url::form_urlencoded::byte_serialize(fake.issuer().as_bytes()).collect::<String>();
        browser.come_back(&app, &trip, &format!("&code=c&iss={iss}")).await.expect(200);
    }

    async fn a_document_of_another_issuer_is_not_used(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        for changes in [
            json!({ "issuer": "https://evil.test" }),
            json!({ "issuer": format!("{}/", fake.issuer()) }),
            json!({ "token_endpoint": "http://localhost/token" }),
            json!({ "jwks_uri": "file:///etc/passwd" }),
        ] {
            fake.publish(&changes);
            let path = format!("/sign-in/providers/{provider}");
            let told = Browser::at(&team).get(&app, &path).await.expect(502);
            assert!(!told.headers.contains_key(header::LOCATION), "{changes}");
        }
    }

    async fn a_provider_inside_our_network_is_not_called(db: Db) {
        let fake = Fake::start().await;
        // Nothing is allowed here.
        let app = crate::testing::TestApp::new(db);
        let team = app.team().await;
        let body = |issuer: &str| json!({
            "name": "Inside", "kind": "oidc", "oidc": { "issuer": issuer, "client-id": "terrane" },
        });
        for issuer in ["https://127.0.0.1:9", "https://169.254.169.254", "https://[::1]",
            "http://example.test", "https://u:p@example.test", "https://example.test/?a=b", "x"] {
            let refused = app.post("/api/v2/identity-providers").by(&team.admin)
                .attributes("identity-providers", body(issuer)).await.expect(422);
            assert_eq!(refused.pointer(), "/data/attributes/oidc/issuer", "{issuer}");
        }
        // A name that leads there is found out when it is looked up.
        let provider = app.post("/api/v2/identity-providers").by(&team.admin)
            .attributes("identity-providers", body(&fake.issuer())).await.expect(201).id();
        let path = format!("/sign-in/providers/{provider}");
        let told = Browser::at(&team).get(&app, &path).await.expect(502);
        assert!(told.text().contains("may not be called"), "{}", told.text());
        assert!(fake.server.requests().is_empty());
    }

    async fn keys_inside_our_network_are_not_fetched(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        for place in ["jwks_uri", "token_endpoint"] {
            app.sign_in.forget();
            fake.publish(&json!({ (place): "https://10.1.2.3/internal" }));
            let mut browser = Browser::at(&team);
            let told = browser.sign_in(&app, &fake, &provider, "ada").await.expect(502);
            assert!(told.text().contains("may not be called"), "{}", told.text());
        }
    }

    async fn nobody_is_led_away_after_signing_in(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        for away in ["https://evil.test", "//evil.test", "/%5Cevil.test", "javascript:alert(1)"] {
            let mut browser = Browser::at(&team);
            let trip = browser.leave(&app, &provider, &format!("?return_to={away}")).await;
            let claims = fake.claims(&app, &trip.query["nonce"], "ada");
            fake.give(&fake.key.sign(&claims));
            let page = browser.come_back(&app, &trip, "&code=c").await.expect(200);
            assert!(!page.text().contains("evil"), "{away}: {}", page.text());
            assert!(!page.text().contains("javascript"), "{away}: {}", page.text());
        }
        let mut browser = Browser::at(&team);
        let trip = browser.leave(&app, &provider, "?return_to=/somewhere%3Fa%3Db").await;
        let claims = fake.claims(&app, &trip.query["nonce"], "ada");
        fake.give(&fake.key.sign(&claims));
        let page = browser.come_back(&app, &trip, "&code=c").await.expect(200);
        let address = page.text().replace("&#x2f;", "/");
        assert!(address.contains("url=/somewhere?a=b"), "{address}");
    }

    async fn what_a_browser_had_before_is_not_taken_over(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let mut browser = Browser::at(&team);
        let planted = "a".repeat(43);
        browser.set_cookie("session", &planted);
        browser.sign_in(&app, &fake, &provider, "ada").await.expect(200);
        assert_ne!(browser.cookie("session"), Some(&planted));
        let mut planter = Browser::at(&team);
        planter.set_cookie("session", &planted);
        assert_eq!(planter.user(&app).await, None);
    }

    async fn the_host_of_a_request_is_never_repeated(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        for host in ["evil.test", "terrane.test.evil.test", "evil.test:443", "a.b.terrane.test"] {
            let mut browser = Browser { host: Some(host.to_owned()), ..Browser::default() };
            let trip = browser.leave(&app, &provider, "").await;
            let back = format!("https://terrane.test/sign-in/providers/{provider}/callback");
            assert_eq!(trip.query["redirect_uri"], back, "{host}");
        }
        let mut own = Browser::at(&team);
        let trip = own.leave(&app, &provider, "").await;
        let base = format!("https://{}.terrane.test/", team.account.name);
        assert!(trip.query["redirect_uri"].starts_with(&base), "{:?}", trip.query);
        let mut nobody = Browser { host: Some("nobody.terrane.test".to_owned()), ..Browser::default() };
        nobody.get(&app, &format!("/sign-in/providers/{provider}")).await.expect(404);
        nobody.get(&app, "/sign-in").await.expect(404);
    }
}
