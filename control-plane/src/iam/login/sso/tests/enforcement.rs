//! The test sign-in, and members who must come through a provider.

use db::Db;
use domain::access::Role;
use serde_json::{Value, json};
use testkit::both_databases;
use url::Url;

use super::fake::{Browser, Fake};
use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp, TestUser};

const PASSWORD: &str = "correct horse battery";

async fn enforce(app: &TestApp, team: &Team, bypass: &[&TestUser], enforced: Value) -> Answer {
    let users: Vec<_> = bypass
        .iter()
        .map(|it| json!({ "type": "users", "id": it.id }))
        .collect();
    app.patch("/api/v2/sign-in-policy")
        .by(&team.admin)
        .json(&json!({ "data": {
            "type": "sign-in-policies", "attributes": { "enforced": enforced },
            "relationships": { "bypass-users": { "data": users } },
        } }))
        .await
}

/// The query of a fresh link for a test sign-in.
async fn ticket(app: &TestApp, by: &TestUser, provider: &str) -> String {
    let path = format!("/api/v2/identity-providers/{provider}/actions/verify");
    let link = app.post(path).by(by).await.expect(200);
    let url = link.attribute("url").as_str().unwrap().to_owned();
    format!("?{}", Url::parse(&url).unwrap().query().unwrap())
}

async fn test(
    app: &TestApp,
    fake: &Fake,
    browser: &mut Browser,
    provider: &str,
    query: &str,
) -> Answer {
    let trip = browser.leave(app, provider, query).await;
    let claims = fake.claims(app, &trip.query["nonce"], "boss");
    fake.give(&fake.key.sign(&claims));
    browser.come_back(app, &trip, "&code=c").await
}

both_databases! { MIGRATOR;
    async fn what_was_not_tested_is_not_enforced(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let early = enforce(&app, &team, &[&team.admin], json!(true)).await.expect(409);
        assert_eq!(early.code(), "identity.not-verified");
        let query = ticket(&app, &team.admin, &provider).await;
        let mut browser = Browser::at(&team);
        let page = test(&app, &fake, &mut browser, &provider, &query).await.expect(200);
        assert!(page.text().contains("not tied"), "{}", page.text());
        // It opens no session, makes no user, and works once.
        assert_eq!(browser.user(&app).await, None);
        test(&app, &fake, &mut browser, &provider, &query).await.expect(400);
        assert_eq!(app.audited(&team.tenant, "identity-provider.verify").await, 1);
        assert_eq!(app.audited(&team.tenant, "user.create").await, 2);
        let alone = enforce(&app, &team, &[], json!(true)).await.expect(422);
        assert_eq!(alone.code(), "identity.no-bypass-user");
        enforce(&app, &team, &[&team.admin], json!(true)).await.expect(200);
        // Now it can't be taken away.
        let path = format!("/api/v2/identity-providers/{provider}");
        for refused in [
            app.delete(&path).by(&team.admin).await.expect(409),
            app.patch(&path).by(&team.admin)
                .attributes("identity-providers", json!({ "enabled": false })).await.expect(409),
        ] {
            assert_eq!(refused.code(), "identity.last-provider");
        }
        enforce(&app, &team, &[&team.admin], json!(false)).await.expect(200);
        app.delete(&path).by(&team.admin).await.expect(204);
    }

    async fn who_tests_in_their_own_browser_is_tied_to_it(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let boss = app.user_with_password(&team.account, Role::Admin, PASSWORD).await;
        let other = app.user_with_password(&team.account, Role::Reader, PASSWORD).await;
        let provider = fake.provider(&app, &team, json!({})).await;
        // A link that is sent to somebody else ties nobody.
        let mut victim = Browser::at(&team);
        victim.password(&app, &other.username, PASSWORD).await.expect(303);
        let query = ticket(&app, &boss, &provider).await;
        let page = test(&app, &fake, &mut victim, &provider, &query).await.expect(200);
        assert!(page.text().contains("not tied"), "{}", page.text());
        let mut own = Browser::at(&team);
        own.password(&app, &boss.username, PASSWORD).await.expect(303);
        let query = ticket(&app, &boss, &provider).await;
        let page = test(&app, &fake, &mut own, &provider, &query).await.expect(200);
        assert!(page.text().contains("as yourself"), "{}", page.text());
        let mut fresh = Browser::at(&team);
        fresh.sign_in(&app, &fake, &provider, "boss").await.expect(200);
        assert_eq!(fresh.user(&app).await.as_deref(), Some(boss.username.as_str()));
    }

    async fn a_password_opens_nothing_where_providers_are_enforced(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let user = app.user_with_password(&team.account, Role::Reader, PASSWORD).await;
        let named = app.user_with_password(&team.account, Role::Admin, PASSWORD).await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let mut before = Browser::at(&team);
        before.password(&app, &user.username, PASSWORD).await.expect(303);
        assert!(before.user(&app).await.is_some());
        let query = ticket(&app, &team.admin, &provider).await;
        test(&app, &fake, &mut Browser::at(&team), &provider, &query).await.expect(200);
        enforce(&app, &team, &[&named], json!(true)).await.expect(200);

        assert_eq!(before.user(&app).await, None, "an earlier session counts on");
        let mut browser = Browser::at(&team);
        let told = browser.password(&app, &user.username, PASSWORD).await.expect(401);
        assert!(told.text().contains("through its identity provider"), "{}", told.text());
        // Who does not know the password learns nothing.
        let wrong = browser.password(&app, &user.username, "wrong password").await.expect(401);
        assert!(wrong.text().contains("is wrong"), "{}", wrong.text());
        browser.password(&app, &named.username, PASSWORD).await.expect(303);
        assert_eq!(browser.user(&app).await.as_deref(), Some(named.username.as_str()));
        let mut through = Browser::at(&team);
        through.sign_in(&app, &fake, &provider, "ada").await.expect(200);
        assert_eq!(through.user(&app).await.as_deref(), Some("ada"));
    }

    async fn a_provider_that_is_switched_off_ends_its_sessions(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let mut browser = Browser::at(&team);
        browser.sign_in(&app, &fake, &provider, "ada").await.expect(200);
        let path = format!("/api/v2/identity-providers/{provider}");
        app.patch(&path).by(&team.admin)
            .attributes("identity-providers", json!({ "enabled": false })).await.expect(200);
        assert_eq!(browser.user(&app).await, None);
        browser.get(&app, &format!("/sign-in/providers/{provider}")).await.expect(404);
        let page = browser.get(&app, "/sign-in").await.expect(200);
        assert!(!page.text().contains("Corporate"));
    }

    async fn signing_out_goes_on_to_the_provider(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let mut browser = Browser::at(&team);
        browser.sign_in(&app, &fake, &provider, "ada").await.expect(200);
        let session = browser.cookie("session").unwrap().clone();
        let page = browser.get(&app, "/sign-in").await.expect(200);
        // From elsewhere, without the page's token: nothing happens.
        let mut forged = browser.clone();
        let fields = [("action", "sign-out"), ("csrf", "")];
        forged.submit(&app, "/sign-in", &page, &fields).await.expect(403);
        assert!(browser.user(&app).await.is_some());
        let out = browser.submit(&app, "/sign-in", &page, &[("action", "sign-out")]).await.expect(200);
        let text = out.text().replace("&#x2f;", "/").replace("&amp;", "&");
        assert!(text.contains(&format!("{}/logout?client_id=terrane", fake.issuer())), "{text}");
        assert!(text.contains("id_token_hint=ey"), "{text}");
        browser.set_cookie("session", &session);
        assert_eq!(browser.user(&app).await, None);
    }

    async fn what_identifies_a_provider_never_changes(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let path = format!("/api/v2/identity-providers/{provider}");
        let change = async |attributes: Value| {
            app.patch(&path).by(&team.admin).attributes("identity-providers", attributes).await
        };
        for (attributes, field) in [
            (json!({ "kind": "saml" }), "kind"),
            (json!({ "oidc": { "issuer": "https://example.test" } }), "oidc/issuer"),
            (json!({ "oidc": { "subject-claim": "email" } }), "oidc/subject-claim"),
            (json!({ "name": "" }), "name"),
            (json!({ "oidc": { "scopes": ["a b"] } }), "oidc/scopes"),
        ] {
            let refused = change(attributes).await.expect(422);
            assert_eq!(refused.pointer(), format!("/data/attributes/{field}"));
        }
        let now = change(json!({ "name": "Login", "oidc": { "client-id": "other" } })).await.expect(200);
        assert_eq!(now.attribute("oidc")["client-id"], "other");
        assert_eq!(now.attribute("verified-at"), Value::Null);
        let twin = app.post("/api/v2/identity-providers").by(&team.admin)
            .attributes("identity-providers", json!({ "name": "Login", "kind": "oidc",
                "oidc": { "issuer": fake.issuer(), "client-id": "x" } })).await.expect(422);
        assert_eq!(twin.code(), "identity.name-taken");
        for action in ["identity-provider.create", "identity-provider.update"] {
            assert_eq!(app.audited(&team.tenant, action).await, 1, "{action}");
        }
    }
}
