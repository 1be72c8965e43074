//! Second factors on both databases: made through the API, asked for by the sign-in page.

use chrono::TimeDelta;
use db::Db;
use domain::access::Role;
use http::header;
use serde_json::json;
use testkit::both_databases;
use totp_rs::{Builder, Secret as TotpSecret};

use crate::schema::MIGRATOR;
use crate::testing::{Answer, TestApp, TestUser};

const PASSWORD: &str = "correct horse battery";

/// An authenticator app.
struct Device(Vec<u8>);

impl Device {
    fn code(&self, app: &TestApp) -> String {
        let totp = Builder::new().with_secret(self.0.clone()).build().unwrap();
        let now = u64::try_from(app.clock.now().timestamp()).unwrap();
        totp.generate(now).to_string()
    }
}

async fn begin(app: &TestApp, user: &TestUser) -> Device {
    let path = format!("/api/v2/users/{}/second-factor", user.id);
    let made = app.post(path).by(user).await.expect(201);
    let text = made.attribute("secret").as_str().unwrap().to_owned();
    assert!(
        made.attribute("address")
            .as_str()
            .unwrap()
            .starts_with("otpauth://totp/")
    );
    Device(
        TotpSecret::try_from_base32(&text)
            .unwrap()
            .as_bytes()
            .to_vec(),
    )
}

async fn confirm(app: &TestApp, user: &TestUser, code: &str) -> Answer {
    let path = format!("/api/v2/users/{}/second-factor/actions/confirm", user.id);
    app.post(path)
        .by(user)
        .attributes("second-factors", json!({ "code": code }))
        .await
}

async fn sign_in(app: &TestApp, user: &TestUser, code: &str) -> Answer {
    let page = app.get("/sign-in").await.expect(200);
    let cookie = page
        .header(header::SET_COOKIE)
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let csrf = page.text().split_once("name=\"csrf\" value=\"").unwrap().1;
    let csrf = csrf.split_once('"').unwrap().0;
    let fields = [
        ("username", user.username.as_str()),
        ("password", PASSWORD),
        ("one_time_code", code),
        ("csrf", csrf),
        ("return_to", "/sign-in"),
    ];
    app.post("/sign-in")
        .header(header::COOKIE, &cookie)
        .form(&fields)
        .await
}

async fn setup(db: Db) -> (TestApp, TestUser) {
    let app = TestApp::at(db, "2026-03-01T12:00:00Z");
    let account = app.account().await;
    let user = app
        .user_with_password(&account, Role::Reader, PASSWORD)
        .await;
    (app, user)
}

both_databases! { MIGRATOR;
    async fn a_code_is_asked_for_and_good_once(db: Db) {
        let (app, user) = setup(db).await;
        sign_in(&app, &user, "").await.expect(303);
        let device = begin(&app, &user).await;
        // Not confirmed: not asked for.
        sign_in(&app, &user, "").await.expect(303);
        let wrong = confirm(&app, &user, "000000x").await.expect(422);
        assert_eq!(wrong.code(), "second-factor.wrong-code");
        let codes = confirm(&app, &user, &device.code(&app)).await.expect(200).attribute("codes");
        assert_eq!(codes.as_array().unwrap().len(), 10);
        // The code that confirmed is used.
        sign_in(&app, &user, &device.code(&app)).await.expect(401);
        app.advance(TimeDelta::seconds(30));
        let told = sign_in(&app, &user, "").await.expect(401);
        assert!(told.text().contains("one-time code"), "{}", told.text());
        let code = device.code(&app);
        sign_in(&app, &user, &code).await.expect(303);
        sign_in(&app, &user, &code).await.expect(401);
        app.advance(TimeDelta::minutes(5));
        sign_in(&app, &user, &code).await.expect(401);
        sign_in(&app, &user, &device.code(&app)).await.expect(303);
    }

    async fn recovery_codes_are_good_once_and_kept_as_hashes(db: Db) {
        let (app, user) = setup(db).await;
        let device = begin(&app, &user).await;
        let answer = confirm(&app, &user, &device.code(&app)).await.expect(200);
        let codes: Vec<String> = serde_json::from_value(answer.attribute("codes")).unwrap();
        sign_in(&app, &user, &codes[0]).await.expect(303);
        sign_in(&app, &user, &codes[0]).await.expect(401);
        sign_in(&app, &user, &codes[1]).await.expect(303);
        let mut conn = app.db.acquire().await.unwrap();
        let kept: Vec<(String,)> = conn.query("SELECT hash FROM recovery_codes").fetch_all()
            .await.unwrap();
        assert_eq!(kept.len(), 8);
        assert!(kept.iter().all(|(hash,)| !codes.contains(hash)));
        let sealed: Vec<(Vec<u8>,)> = conn.query("SELECT sealed FROM installation_secrets")
            .fetch_all().await.unwrap();
        let bare = |(text,): &(Vec<u8>,)| text.windows(20).any(|it| it == device.0);
        assert!(!sealed.iter().any(bare), "the secret lies there in clear");
    }

    async fn guessing_codes_gets_slow(db: Db) {
        let (app, user) = setup(db).await;
        let device = begin(&app, &user).await;
        confirm(&app, &user, &device.code(&app)).await.expect(200);
        app.advance(TimeDelta::minutes(1));
        for _ in 0..5 {
            sign_in(&app, &user, "123456").await.expect(401);
        }
        sign_in(&app, &user, &device.code(&app)).await.expect(429);
    }

    async fn a_factor_is_its_owners(db: Db) {
        let app = TestApp::new(db);
        let (team, other) = (app.team().await, app.team().await);
        let path = |user: &TestUser| format!("/api/v2/users/{}/second-factor", user.id);
        app.post(path(&team.reader)).by(&team.admin).await.expect(403);
        app.post(path(&team.reader)).by(&other.admin).await.expect(404);
        let device = begin(&app, &team.reader).await;
        confirm(&app, &team.reader, &device.code(&app)).await.expect(200);
        let again = app.post(path(&team.reader)).by(&team.reader).await.expect(409);
        assert_eq!(again.code(), "second-factor.in-force");
        app.delete(path(&team.reader)).by(&other.admin).await.expect(404);
        // Who has lost the device asks an administrator.
        app.delete(path(&team.reader)).by(&team.admin).await.expect(204);
        app.delete(path(&team.reader)).by(&team.admin).await.expect(404);
        assert_eq!(app.audited(&team.tenant, "second-factor.delete").await, 1);
        let next = begin(&app, &team.reader).await;
        assert_ne!(next.0, device.0);
    }
}
