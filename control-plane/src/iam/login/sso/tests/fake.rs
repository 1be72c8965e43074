//! A provider that says what a test wants, and a browser.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use db::Db;
use http::header;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};
use testkit::HttpsServer;
use url::Url;

use crate::outbound::{Guard, Outbound};
use crate::testing::{Answer, Call, Team, TestApp};

pub(super) const CLIENT: &str = "terrane";
pub(super) const SECRET: &str = "a client's secret";

/// A key of the provider.
pub(super) struct Key {
    pub(super) id: &'static str,
    pair: KeyPair,
}

impl Key {
    pub(super) fn new(id: &'static str) -> Self {
        let pair = KeyPair::generate().unwrap();
        Self { id, pair }
    }

    pub(super) fn jwk(&self) -> Value {
        let point = self.pair.der_bytes();
        let (x, y) = point[1..].split_at(32);
        let text = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": text(x), "y": text(y),
        })
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.id.to_owned());
        let key = EncodingKey::from_ec_der(self.pair.serialized_der());
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }
}

pub(super) struct Fake {
    pub(super) server: HttpsServer,
    pub(super) key: Key,
}

impl Fake {
    pub(super) async fn start() -> Self {
        let fake = Self {
            server: HttpsServer::start().await,
            key: Key::new("one"),
        };
        fake.publish(&json!({}));
        fake.publish_keys(&[&fake.key]);
        fake
    }

    pub(super) fn issuer(&self) -> String {
        format!("https://localhost:{}", self.server.port())
    }

    /// Its discovery document, with some fields changed.
    pub(super) fn publish(&self, changes: &Value) {
        let mut document = json!({
            "issuer": self.issuer(),
            "authorization_endpoint": self.server.url("/authorize"),
            "token_endpoint": self.server.url("/token"),
            "jwks_uri": self.server.url("/keys"),
            "end_session_endpoint": self.server.url("/logout"),
        });
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        let path = "/.well-known/openid-configuration";
        self.server.answer(path, 200, &document.to_string());
    }

    pub(super) fn publish_keys(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|it| it.jwk()).collect();
        let document = json!({ "keys": keys }).to_string();
        self.server.answer("/keys", 200, &document);
    }

    /// What a good token says.
    pub(super) fn claims(&self, app: &TestApp, nonce: &str, subject: &str) -> Value {
        let now = app.clock.now().timestamp();
        json!({
            "iss": self.issuer(), "aud": CLIENT, "sub": subject, "nonce": nonce,
            "iat": now, "exp": now + 300, "preferred_username": subject,
            "email": format!("{subject}@idp.test"), "name": subject, "groups": [],
        })
    }

    pub(super) fn give(&self, token: &str) {
        let answer = json!({ "id_token": token, "token_type": "Bearer", "access_token": "x" });
        self.server.answer("/token", 200, &answer.to_string());
    }

    /// An app that may call it.
    pub(super) fn app(&self, db: Db) -> TestApp {
        let here = ["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        let ca_pem = self.server.ca_pem().as_bytes();
        let outbound = Outbound::new(Guard::new(&here), Some(ca_pem)).unwrap();
        TestApp::with_outbound(db, outbound)
    }

    /// A provider of the team's account that stands for this one.
    pub(super) async fn provider(&self, app: &TestApp, team: &Team, changes: Value) -> String {
        let mut attributes = json!({
            "name": "Corporate", "kind": "oidc", "create-users": true,
            "oidc": {
                "issuer": self.issuer(), "client-id": CLIENT, "client-secret": SECRET,
                "groups-claim": "groups",
            },
        });
        for (name, value) in changes.as_object().unwrap() {
            attributes[name] = value.clone();
        }
        app.post("/api/v2/identity-providers")
            .by(&team.admin)
            .attributes("identity-providers", attributes)
            .await
            .expect(201)
            .id()
    }
}

/// A browser: what it keeps, and at which host.
#[derive(Clone, Default)]
pub(super) struct Browser {
    pub(super) cookies: BTreeMap<String, String>,
    pub(super) host: Option<String>,
}

/// What a browser took along to the provider.
pub(super) struct Trip {
    pub(super) provider: String,
    pub(super) query: BTreeMap<String, String>,
}

impl Browser {
    pub(super) fn at(team: &Team) -> Self {
        Self {
            host: Some(format!("{}.terrane.test", team.account.name)),
            ..Self::default()
        }
    }

    fn dress<'a>(&self, call: Call<'a>) -> Call<'a> {
        let sent: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let call = call.header(header::COOKIE, &sent.join("; "));
        match &self.host {
            Some(host) => call.header(header::HOST, host),
            None => call,
        }
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = text.split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub(super) fn cookie(&self, name: &str) -> Option<&String> {
        self.cookies.get(&format!("__Host-terrane-{name}"))
    }

    pub(super) fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies
            .insert(format!("__Host-terrane-{name}"), value.to_owned());
    }

    pub(super) async fn get(&mut self, app: &TestApp, path: &str) -> Answer {
        let answer = self.dress(app.get(path)).await;
        self.keep(&answer);
        answer
    }

    /// Sends the page's form with these fields set.
    pub(super) async fn submit(
        &mut self,
        app: &TestApp,
        path: &str,
        page: &Answer,
        fields: &[(&str, &str)],
    ) -> Answer {
        let hidden = hidden(page.text());
        let mut all: BTreeMap<&str, &str> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        all.extend(fields.iter().copied());
        let pairs: Vec<_> = all.into_iter().collect();
        let answer = self.dress(app.post(path).form(&pairs)).await;
        self.keep(&answer);
        answer
    }

    /// Signs in by password at `/sign-in`.
    pub(super) async fn password(&mut self, app: &TestApp, name: &str, password: &str) -> Answer {
        let page = self.get(app, "/sign-in").await.expect(200);
        let fields = [("username", name), ("password", password)];
        self.submit(app, "/sign-in", &page, &fields).await
    }

    /// Leaves for a provider.
    pub(super) async fn leave(&mut self, app: &TestApp, provider: &str, query: &str) -> Trip {
        let path = format!("/sign-in/providers/{provider}{query}");
        let answer = self.get(app, &path).await.expect(303);
        let url = Url::parse(answer.header(header::LOCATION)).unwrap();
        Trip {
            provider: provider.to_owned(),
            query: url.query_pairs().into_owned().collect(),
        }
    }

    /// Comes back from it.
    pub(super) async fn come_back(&mut self, app: &TestApp, trip: &Trip, more: &str) -> Answer {
        let path = format!(
            "/sign-in/providers/{}/callback?state={}{more}",
            trip.provider, trip.query["state"]
        );
        self.get(app, &path).await
    }

    /// The whole way, as `subject`.
    pub(super) async fn sign_in(
        &mut self,
        app: &TestApp,
        fake: &Fake,
        provider: &str,
        subject: &str,
    ) -> Answer {
        let trip = self.leave(app, provider, "").await;
        let claims = fake.claims(app, &trip.query["nonce"], subject);
        fake.give(&fake.key.sign(&claims));
        self.come_back(app, &trip, "&code=c").await
    }

    /// Whom the sign-in page says is signed in.
    pub(super) async fn user(&mut self, app: &TestApp) -> Option<String> {
        let page = self.get(app, "/sign-in").await.expect(200);
        let rest = page.text().split_once("as <strong>")?.1;
        Some(rest.split_once('<')?.0.to_owned())
    }
}

/// The hidden fields of a page's form.
pub(super) fn hidden(page: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for tag in page.split("<input type=\"hidden\"").skip(1) {
        let value = |name: &str| {
            let start = tag.split_once(&format!("{name}=\"")).unwrap().1;
            let raw = start.split_once('"').unwrap().0;
            raw.replace("&amp;", "&").replace("&#x2f;", "/")
        };
        fields.insert(value("name"), value("value"));
    }
    fields
}
