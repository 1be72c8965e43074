//! `terraform login` on both databases: the page, its form, the code, the token.

use std::collections::HashMap;

use chrono::TimeDelta;
use db::Db;
use domain::access::Role;
use http::header;
use sha2::{Digest, Sha256};
use testkit::both_databases;
use url::Url;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::context::Tenant;
use crate::schema::MIGRATOR;
use crate::testing::{Answer, TestApp, TestUser};

const PASSWORD: &str = "correct horse battery";
/// A UUID, a dot and nine digits, as the CLI makes it.
const VERIFIER: &str = "6f1c1de0-93fd-4a2b-8b5e-52f0a2e55a4d.123456789";
const REDIRECT: &str = "http://localhost:10004/login";

both_databases! { MIGRATOR;
    async fn terraform_login_ends_with_a_token(db: Db) {
        let (app, user) = setup(db).await;
        let page = Page::open(&app).await;
        let back = page.submit(&app, &user.username, PASSWORD).await.expect(303);
        let url = Url::parse(back.header(header::LOCATION)).unwrap();
        assert!(url.as_str().starts_with(&format!("{REDIRECT}?")), "{url}");
        let pairs: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs["state"], "a state & more");

        let answer = exchange(&app, &pairs["code"], VERIFIER).await.expect(200);
        assert_eq!(answer.json()["token_type"], "bearer");
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let details = app.get("/api/v2/account/details").by(&token).await.expect(200);
        assert_eq!(details.attribute("username"), user.username);
        let tokens = app
            .get(format!("/api/v2/users/{}/authentication-tokens", user.id))
            .by(&token)
            .await
            .expect(200);
        assert!(tokens.each("description").contains(&"terraform login".to_owned()));
        let tenant = Tenant::of_row(&user.actor.account);
        for action in ["user.sign-in", "token.create"] {
            assert_eq!(app.audited(&tenant, action).await, 1, "{action}");
        }
    }

    async fn a_browser_that_is_signed_in_is_asked_for_consent_only(db: Db) {
        let (app, user) = setup(db).await;
        let page = Page::open(&app).await;
        let back = page.submit(&app, &user.username, PASSWORD).await.expect(303);
        let cookie = back.header(header::SET_COOKIE);
        for word in ["__Host-terrane-session=", "Secure", "HttpOnly", "SameSite=Strict"] {
            assert!(cookie.contains(word), "{word}: {cookie}");
        }
        let mut browser = page;
        browser.cookie = format!("{}; {}", browser.cookie, cookie.split(';').next().unwrap());

        let consent = browser.again(&app).await;
        assert!(consent.answer.text().contains(&user.username), "{}", consent.answer.text());
        assert!(!consent.asks_for_a_password());
        let approved = consent.act(&app, "approve").await.expect(303);
        exchange(&app, &code_of(&approved), VERIFIER).await.expect(200);
        let tenant = Tenant::of_row(&user.actor.account);
        assert_eq!(app.audited(&tenant, "user.approve").await, 1);

        let out = consent.act(&app, "sign-out").await.expect(200);
        assert_eq!(app.audited(&tenant, "user.sign-out").await, 1);
        let cleared = out.headers.get_all(header::SET_COOKIE).iter()
            .any(|it| it.to_str().unwrap().contains("terrane-session=; ")
                && it.to_str().unwrap().contains("Max-Age=0"));
        assert!(cleared, "{:?}", out.headers);
        // The old cookie is worth nothing from now on.
        consent.act(&app, "approve").await.expect(401);
        assert!(browser.again(&app).await.asks_for_a_password());
    }

    async fn a_consent_from_elsewhere_is_refused(db: Db) {
        let (app, user) = setup(db).await;
        let sign_in = Page::open(&app).await;
        let browser = signed_in(&app, &user).await;
        let consent = browser.again(&app).await;
        let send = async |cookie: &str, token: &str, action: &str, changes: &[(&str, &str)]| {
            let mut fields = consent.fields("", "");
            fields.insert("action".to_owned(), action.to_owned());
            fields.insert("csrf".to_owned(), token.to_owned());
            fields.extend(changes.iter().map(|(name, to)| (name.to_string(), to.to_string())));
            app.post("/oauth/authorization").header(header::COOKIE, cookie)
                .form(&pairs(&fields)).await
        };
        let token = consent.fields("", "")["csrf"].clone();
        let other = signed_in(&app, &user).await;
        let session = browser.cookie.split_once("; ").unwrap().1;
        for action in ["approve", "sign-out"] {
            // Without a token, with that of another page, of another browser, for another request.
            send(&browser.cookie, "", action, &[]).await.expect(403);
            send(&browser.cookie, &browser.fields("", "")["csrf"], action, &[]).await.expect(403);
            send(&other.cookie, &token, action, &[]).await.expect(403);
            send(session, &token, action, &[]).await.expect(403);
            // A cookie of the sign-in page that somebody else has planted, with its token.
            let planted = format!("{}; {session}", sign_in.cookie);
            send(&planted, &sign_in.fields("", "")["csrf"], action, &[]).await.expect(403);
            send(&browser.cookie, &token, action, &[("redirect_uri",
                "http://localhost:10005/login")]).await.expect(403);
            let away = send(&browser.cookie, &token, action,
                &[("redirect_uri", "http://evil.test:10004/login")]).await.expect(400);
            assert!(!away.headers.contains_key(header::LOCATION));
        }
        let tenant = Tenant::of_row(&user.actor.account);
        assert_eq!(app.audited(&tenant, "user.approve").await, 0);
        assert_eq!(app.audited(&tenant, "user.sign-out").await, 0);
        consent.act(&app, "approve").await.expect(303);
    }

    async fn each_sign_in_makes_a_session_of_its_own(db: Db) {
        let (app, user) = setup(db).await;
        let page = Page::open(&app).await;
        let count = async || -> i64 {
            let mut conn = app.db.acquire().await.unwrap();
            conn.query("SELECT COUNT(*) FROM sessions").fetch_scalar().await.unwrap()
        };
        // What somebody has planted is not taken over.
        let planted = format!("{}; __Host-terrane-session={}", page.cookie, "a".repeat(43));
        let mut victim = page.again(&app).await;
        victim.cookie = planted;
        let back = victim.submit(&app, &user.username, PASSWORD).await.expect(303);
        let given = back.header(header::SET_COOKIE);
        assert!(!given.contains(&"a".repeat(43)), "{given}");
        assert!(victim.again(&app).await.asks_for_a_password());
        assert_eq!(count().await, 1);

        // Who signs in again ends what the browser had.
        let first = signed_in(&app, &user).await;
        let consent = first.again(&app).await;
        assert_eq!(count().await, 2);
        let mut again = page.again(&app).await;
        again.cookie = format!("{}; {}", page.cookie, first.cookie.split_once("; ").unwrap().1);
        again.submit(&app, &user.username, PASSWORD).await.expect(303);
        assert_eq!(count().await, 2);
        consent.act(&app, "approve").await.expect(401);
    }

    async fn a_session_opens_nothing_but_these_pages(db: Db) {
        let (app, user) = setup(db).await;
        let browser = signed_in(&app, &user).await;
        let text = browser.cookie.rsplit('=').next().unwrap().to_owned();
        app.get("/api/v2/account/details").header(header::COOKIE, &browser.cookie)
            .await.expect(401);
        app.get("/api/v2/account/details").by(&text).await.expect(401);
        let consent = browser.again(&app).await;
        assert_eq!(consent.answer.header(header::X_FRAME_OPTIONS), "DENY");
        assert_eq!(consent.answer.header(header::CACHE_CONTROL), "no-store");
        let policy = consent.answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(policy.contains("form-action 'self' http://localhost:10004;"), "{policy}");
        assert!(!consent.answer.text().contains(&text), "a page shows the session");
    }

    async fn who_is_no_member_any_more_gives_no_consent(db: Db) {
        let (app, user) = setup(db).await;
        let browser = signed_in(&app, &user).await;
        let consent = browser.again(&app).await;
        let mut tx = app.db.begin().await.unwrap();
        tx.query("DELETE FROM memberships WHERE user_id = $1").bind(&user.id).execute()
            .await.unwrap();
        tx.commit().await.unwrap();
        consent.act(&app, "approve").await.expect(401);
        assert!(browser.again(&app).await.asks_for_a_password());
    }

    async fn a_session_ends_with_its_time_and_with_a_new_password(db: Db) {
        let (app, user) = setup(db).await;
        let browser = signed_in(&app, &user).await;
        app.advance(TimeDelta::hours(11));
        let consent = browser.again(&app).await;
        assert!(!consent.asks_for_a_password());
        app.advance(TimeDelta::hours(1));
        consent.act(&app, "approve").await.expect(401);

        let browser = signed_in(&app, &user).await;
        let consent = browser.again(&app).await;
        let approved = consent.act(&app, "approve").await.expect(303);
        let account = &user.actor.account;
        let operator = crate::context::Context::new(
            crate::context::Actor::system(account, "operator"), app.clock.clone());
        crate::iam::reset_password(&app, &operator, &user.username,
            &domain::Secret::new("another horse battery".to_owned())).await.unwrap();
        assert!(browser.again(&app).await.asks_for_a_password());
        consent.act(&app, "approve").await.expect(401);
        // So does what was approved and not fetched yet.
        exchange(&app, &code_of(&approved), VERIFIER).await.expect(400);
    }

    async fn only_the_hash_of_a_session_is_kept(db: Db) {
        let (app, user) = setup(db).await;
        let browser = signed_in(&app, &user).await;
        let mut conn = app.db.acquire().await.unwrap();
        let kept: String = conn.query("SELECT hash FROM sessions").fetch_scalar().await.unwrap();
        let text = browser.cookie.rsplit('=').next().unwrap();
        assert_eq!(kept, crate::iam::hash_token(text));
    }

    async fn the_page_runs_no_scripts_and_sends_its_form_nowhere_else(db: Db) {
        let (app, _) = setup(db).await;
        let page = Page::open(&app).await;
        let policy = page.answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(policy.contains("form-action 'self' http://localhost:10004;"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let style = page.answer.text().split_once("<style>").unwrap().1;
        let style = style.split_once("</style>").unwrap().0;
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
        assert!(!page.answer.text().contains("<script"));
        assert_eq!(page.answer.header(header::X_FRAME_OPTIONS), "DENY");
        let cookie = page.answer.header(header::SET_COOKIE);
        for word in ["__Host-", "Secure", "HttpOnly", "SameSite=Strict", "Path=/;"] {
            assert!(cookie.contains(word), "{word}: {cookie}");
        }
    }

    async fn what_came_in_the_query_is_escaped(db: Db) {
        let (app, _) = setup(db).await;
        let path = authorization(&[("state", "\"><script>alert(1)</script>")]);
        let page = app.get(path).await.expect(200);
        assert!(!page.text().contains("<script"), "{}", page.text());
    }

    async fn a_foreign_client_or_address_gets_no_form(db: Db) {
        let (app, _) = setup(db).await;
        for (name, value) in [
            ("client_id", "somebody"),
            ("redirect_uri", "http://evil.test:10004/login"),
            ("redirect_uri", "http://localhost:80/login"),
        ] {
            let refused = app.get(authorization(&[(name, value)])).await.expect(400);
            assert!(!refused.text().contains("<form"), "{}", refused.text());
        }
        let told = app.get(authorization(&[("code_challenge_method", "plain")])).await.expect(303);
        assert!(told.header(header::LOCATION).contains("error=invalid_request"));
    }

    async fn a_form_from_elsewhere_is_refused(db: Db) {
        let (app, user) = setup(db).await;
        let page = Page::open(&app).await;
        let other = Page::open(&app).await;
        // Without the cookie, with another browser's cookie, for another request.
        let fields = page.fields(&user.username, PASSWORD);
        app.post("/oauth/authorization").form(&pairs(&fields)).await.expect(403);
        app.post("/oauth/authorization")
            .header(header::COOKIE, &other.cookie)
            .form(&pairs(&fields))
            .await
            .expect(403);
        let mut changed = fields.clone();
        changed.insert("redirect_uri".to_owned(), "http://localhost:10005/login".to_owned());
        app.post("/oauth/authorization")
            .header(header::COOKIE, &page.cookie)
            .form(&pairs(&changed))
            .await
            .expect(403);
        page.submit(&app, &user.username, PASSWORD).await.expect(303);
    }

    async fn a_wrong_password_and_an_unknown_name_look_the_same(db: Db) {
        let (app, user) = setup(db).await;
        let page = Page::open(&app).await;
        let wrong = page.submit(&app, &user.username, "wrong password").await.expect(401);
        let unknown = page.submit(&app, "nobody", PASSWORD).await.expect(401);
        assert!(wrong.text().contains("User name or password is wrong."));
        assert_eq!(
            wrong.text().replace(&user.username, "X"),
            unknown.text().replace("nobody", "X")
        );
        let tenant = Tenant::of_row(&user.actor.account);
        assert_eq!(app.audited(&tenant, "user.sign-in").await, 1);
    }

    async fn a_user_without_a_password_can_not_sign_in(db: Db) {
        let (app, user) = setup(db).await;
        let account = app.account().await;
        let robot = app.user(&account, Role::Admin).await;
        let page = Page::open(&app).await;
        page.submit(&app, &robot.username, "").await.expect(401);
        page.submit(&app, &user.username, PASSWORD).await.expect(303);
    }

    async fn guessing_gets_slow(db: Db) {
        let (app, user) = setup(db).await;
        let page = Page::open(&app).await;
        for _ in 0..5 {
            page.submit(&app, &user.username, "wrong password").await.expect(401);
        }
        // Even the right one has to wait now, and other users don't.
        let held = page.submit(&app, &user.username, PASSWORD).await.expect(429);
        assert_eq!(held.header(header::RETRY_AFTER), "2");
        page.submit(&app, "somebody-else", "wrong password").await.expect(401);
        app.advance(TimeDelta::seconds(2));
        page.submit(&app, &user.username, PASSWORD).await.expect(303);
        page.submit(&app, &user.username, "wrong password").await.expect(401);
    }

    async fn one_address_can_not_try_many_names(db: Db) {
        let (app, user) = setup(db).await;
        let page = Page::open(&app).await;
        let fields = page.fields(&user.username, "wrong password");
        let from = |name: String, address: &str| {
            let mut fields = fields.clone();
            fields.insert("username".to_owned(), name);
            app.post("/oauth/authorization")
                .header(header::COOKIE, &page.cookie)
                .form(&pairs(&fields))
                .from(address.parse().unwrap())
        };
        for number in 0..20 {
            from(format!("name-{number}"), "192.0.2.7").await.expect(401);
        }
        from("name-20".to_owned(), "192.0.2.7").await.expect(429);
        from("name-21".to_owned(), "192.0.2.8").await.expect(401);
    }

    async fn a_code_is_good_once_and_for_five_minutes(db: Db) {
        let (app, user) = setup(db).await;
        let first = code(&app, &user).await;
        exchange(&app, &first, VERIFIER).await.expect(200);
        let again = exchange(&app, &first, VERIFIER).await.expect(400);
        assert_eq!(again.json()["error"], "invalid_grant");

        let late = code(&app, &user).await;
        app.advance(TimeDelta::minutes(5));
        exchange(&app, &late, VERIFIER).await.expect(400);
    }

    async fn a_code_is_worth_nothing_without_its_verifier(db: Db) {
        let (app, user) = setup(db).await;
        let stolen = code(&app, &user).await;
        let wrong = VERIFIER.replace('6', "7");
        let refused = exchange(&app, &stolen, &wrong).await.expect(400);
        assert_eq!(refused.json()["error"], "invalid_grant");
        // The attempt has used it up.
        exchange(&app, &stolen, VERIFIER).await.expect(400);
    }

    async fn a_bad_exchange_is_told_in_oauths_words(db: Db) {
        let (app, _) = setup(db).await;
        for (grant, client, verifier, status, error) in [
            ("password", "terraform-cli", VERIFIER, 400, "unsupported_grant_type"),
            ("authorization_code", "other", VERIFIER, 401, "invalid_client"),
            ("authorization_code", "terraform-cli", "short", 400, "invalid_request"),
            ("authorization_code", "terraform-cli", VERIFIER, 400, "invalid_grant"),
        ] {
            let answer = app
                .post("/oauth/token")
                .form(&[
                    ("grant_type", grant),
                    ("client_id", client),
                    ("code", "x"),
                    ("code_verifier", verifier),
                    ("redirect_uri", REDIRECT),
                ])
                .await
                .expect(status);
            assert_eq!(answer.json()["error"], error);
        }
    }
}

async fn setup(db: Db) -> (TestApp, TestUser) {
    let app = TestApp::at(db, "2026-03-01T12:00:00Z");
    let account = app.account().await;
    let user = app
        .user_with_password(&account, Role::Admin, PASSWORD)
        .await;
    (app, user)
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

/// What the CLI opens in the browser, with some parameters changed.
fn authorization(changes: &[(&str, &str)]) -> String {
    let challenge = challenge();
    let mut parameters = HashMap::from([
        ("client_id", "terraform-cli"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("state", "a state & more"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ]);
    parameters.extend(changes.iter().copied());
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("/oauth/authorization?{query}")
}

/// The sign-in page in a browser.
struct Page {
    answer: Answer,
    cookie: String,
}

impl Page {
    async fn open(app: &TestApp) -> Self {
        let answer = app.get(authorization(&[])).await.expect(200);
        let cookie = answer
            .header(header::SET_COOKIE)
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        Self { answer, cookie }
    }

    /// The same browser, at the next `terraform login`.
    async fn again(&self, app: &TestApp) -> Self {
        let answer = app
            .get(authorization(&[]))
            .header(header::COOKIE, &self.cookie)
            .await
            .expect(200);
        Self {
            answer,
            cookie: self.cookie.clone(),
        }
    }

    fn asks_for_a_password(&self) -> bool {
        self.answer.text().contains("type=\"password\"")
    }

    /// Presses one of the buttons of the consent page.
    async fn act(&self, app: &TestApp, action: &str) -> Answer {
        let mut fields = self.fields("", "");
        fields.insert("action".to_owned(), action.to_owned());
        app.post("/oauth/authorization")
            .header(header::COOKIE, &self.cookie)
            .form(&pairs(&fields))
            .await
    }

    /// The form's fields as a browser would send them.
    fn fields(&self, username: &str, password: &str) -> HashMap<String, String> {
        let mut fields = HashMap::new();
        for tag in self.answer.text().split("<input type=\"hidden\"").skip(1) {
            let value = |name: &str| {
                let start = tag.split_once(&format!("{name}=\"")).unwrap().1;
                start
                    .split_once('"')
                    .unwrap()
                    .0
                    .replace("&amp;", "&")
                    .replace("&#x2f;", "/")
            };
            fields.insert(value("name"), value("value"));
        }
        fields.insert("username".to_owned(), username.to_owned());
        fields.insert("password".to_owned(), password.to_owned());
        fields
    }

    async fn submit(&self, app: &TestApp, username: &str, password: &str) -> Answer {
        app.post("/oauth/authorization")
            .header(header::COOKIE, &self.cookie)
            .form(&pairs(&self.fields(username, password)))
            .await
    }
}

fn pairs(fields: &HashMap<String, String>) -> Vec<(&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// A browser in which the user has signed in.
async fn signed_in(app: &TestApp, user: &TestUser) -> Page {
    let mut page = Page::open(app).await;
    let back = page.submit(app, &user.username, PASSWORD).await.expect(303);
    let session = back.header(header::SET_COOKIE).split(';').next().unwrap();
    page.cookie = format!("{}; {session}", page.cookie);
    page
}

/// A code as the browser brings it to the CLI.
async fn code(app: &TestApp, user: &TestUser) -> String {
    let page = Page::open(app).await;
    code_of(&page.submit(app, &user.username, PASSWORD).await.expect(303))
}

/// The code in a redirect to the CLI.
fn code_of(back: &Answer) -> String {
    let url = Url::parse(back.header(header::LOCATION)).unwrap();
    url.query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned()
}

async fn exchange(app: &TestApp, code: &str, verifier: &str) -> Answer {
    app.post("/oauth/token")
        .form(&[
            ("grant_type", "authorization_code"),
            ("client_id", "terraform-cli"),
            ("code", code),
            ("code_verifier", verifier),
            ("redirect_uri", REDIRECT),
        ])
        .await
}
