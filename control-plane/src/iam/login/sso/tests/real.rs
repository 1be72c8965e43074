//! Against a real provider, `oidc-provider` of npm.

use db::Db;
use http::header;
use serde_json::json;
use testkit::{OidcProvider, both_databases};

use super::fake::{Browser, CLIENT, SECRET};
use crate::outbound::{Guard, Outbound};
use crate::schema::MIGRATOR;
use crate::testing::TestApp;

both_databases! { MIGRATOR;
    async fn a_real_provider_opens_terraform_login(db: Db) {
        let Some(mut real) = OidcProvider::start() else {
            return testkit::skip("node and npm");
        };
        let here = ["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        let outbound = Outbound::new(Guard::new(&here), Some(real.ca_pem().as_bytes())).unwrap();
        let app = TestApp::with_outbound(db, outbound);
        let team = app.team().await;
        let teams = format!("/api/v2/organizations/{}/teams", team.environment.name);
        let sre = app.post(teams).by(&team.admin).attributes("teams", json!({ "name": "sre" })).await
            .expect(200).id();
        let made = app.post("/api/v2/identity-providers").by(&team.admin)
            .attributes("identity-providers", json!({
                "name": "Real", "kind": "oidc", "create-users": true,
                "oidc": { "issuer": real.issuer, "client-id": CLIENT, "client-secret": SECRET,
                    "scopes": ["profile", "email", "groups"], "groups-claim": "groups" },
                "team-mappings": [{ "group": "sre", "team-id": sre }],
            })).await.expect(201);
        let redirect = made.attribute("redirect-url").as_str().unwrap().to_owned();
        let site = format!("https://{}.terrane.test", team.account.name);
        real.serve(CLIENT, SECRET, &redirect, &format!("{site}/sign-in"));

        // What `terraform login` opens, in a browser that is not signed in.
        let mut browser = Browser::at(&team);
        let login = "/oauth/authorization?client_id=terraform-cli&redirect_uri=\
            http%3A%2F%2Flocalhost%3A10004%2Flogin&response_type=code&state=s&code_challenge=\
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx&code_challenge_method=S256";
        let page = browser.get(&app, login).await.expect(200);
        let text = page.text().replace("&#x2f;", "/").replace("&amp;", "&");
        assert!(text.contains("Sign in with Real"), "{text}");
        let link = text.split_once("class=\"button\" href=\"").unwrap().1.split_once('"').unwrap().0;
        let away = browser.get(&app, link).await.expect(303);
        let address = away.header(header::LOCATION).to_owned();
        let back = real.sign_in(&address, "grace").await;
        let path = back.strip_prefix(&site).unwrap();
        let arrived = browser.get(&app, path).await.expect(200);
        let text = arrived.text().replace("&#x2f;", "/").replace("&amp;", "&");
        let next = text.split_once("url=").unwrap().1.split_once('"').unwrap().0;
        let consent = browser.get(&app, next).await.expect(200);
        assert!(consent.text().contains("grace"), "{}", consent.text());
        let fields = [("action", "approve")];
        let approved = browser.submit(&app, "/oauth/authorization", &consent, &fields).await
            .expect(303);
        assert!(approved.header(header::LOCATION).contains("code="));

        let read = app.get(format!("/api/v2/teams/{sre}")).by(&team.admin).await.expect(200);
        assert_eq!(read.attribute("users-count"), 1);
        // The code is used up at the provider: a flow that was kept gains nothing.
        browser.get(&app, path).await.expect(400);
        let page = browser.get(&app, "/sign-in").await.expect(200);
        let out = browser.submit(&app, "/sign-in", &page, &[("action", "sign-out")]).await
            .expect(200);
        assert!(out.text().contains("id_token_hint"), "{}", out.text());
    }
}
