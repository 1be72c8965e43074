//! Provisioning on both databases, as Okta's and Entra's clients do it.

use db::Db;
use http::{Method, header};
use serde_json::{Value, json};
use testkit::both_databases;

use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp, TestUser};

/// A provisioning client of one provider.
struct Client<'a> {
    app: &'a TestApp,
    provider: String,
    token: String,
}

impl<'a> Client<'a> {
    async fn new(app: &'a TestApp, team: &Team, mappings: Value) -> Self {
        let oidc = json!({ "issuer": "https://idp.invalid", "client-id": "terrane" });
        let attributes = json!({
            "name": "Corporate", "kind": "oidc", "oidc": oidc, "team-mappings": mappings,
        });
        let provider = app
            .post("/api/v2/identity-providers")
            .by(&team.admin)
            .attributes("identity-providers", attributes)
            .await
            .expect(201)
            .id();
        let token = token(app, &team.admin, &provider).await;
        Self {
            app,
            provider,
            token,
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let path = format!("/scim/v2/{}/{path}", self.provider);
        let call = self.app.call(method, path).by(&self.token);
        match body {
            Some(body) => call.body("application/scim+json", body.to_string()).await,
            None => call.await,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    async fn find(&self, kind: &str, filter: &str) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("filter", filter)
            .finish();
        self.get(&format!("{kind}?{query}")).await
    }

    async fn user(&self, name: &str) -> String {
        let body = json!({ "userName": name, "externalId": format!("x-{name}"), "active": true });
        id(&self
            .call(Method::POST, "Users", Some(body))
            .await
            .expect(201))
    }

    async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations,
        });
        self.call(Method::PATCH, path, Some(body)).await
    }
}

async fn token(app: &TestApp, by: &TestUser, provider: &str) -> String {
    let path = format!("/api/v2/identity-providers/{provider}/provisioning-token");
    let made = app.post(path).by(by).await.expect(201);
    made.attribute("token").as_str().unwrap().to_owned()
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn members(app: &TestApp, team: &Team) -> Vec<String> {
    let path = format!(
        "/api/v2/organizations/{}/organization-memberships?page[size]=100",
        team.environment.name
    );
    app.get(path)
        .by(&team.admin)
        .await
        .expect(200)
        .each("username")
}

both_databases! { MIGRATOR;
    async fn somebody_comes_changes_and_leaves(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let client = Client::new(&app, &team, json!([])).await;
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Ada@acme.test",
            "externalId": "00u1", "name": { "givenName": "Ada", "familyName": "L" }, "active": true,
            "emails": [{ "primary": true, "value": "ada@acme.test", "type": "work" }],
            "displayName": "Ada L", "title": "Countess",
        });
        let made = client.call(Method::POST, "Users", Some(body.clone())).await.expect(201);
        assert_eq!(made.header(header::CONTENT_TYPE), "application/scim+json");
        assert_eq!(made.json()["name"]["givenName"], "Ada");
        assert_eq!(made.json()["active"], true);
        assert!(members(&app, &team).await.contains(&"ada".to_owned()));
        let again = client.call(Method::POST, "Users", Some(body)).await.expect(409);
        assert_eq!(again.json()["scimType"], "uniqueness");
        for filter in [r#"userName eq "ada@ACME.test""#, r#"externalId eq "00u1""#] {
            let found = client.find("Users", filter).await.expect(200);
            assert_eq!(found.json()["totalResults"], 1, "{filter}");
            assert_eq!(found.json()["Resources"][0]["id"], made.json()["id"]);
        }
        let path = format!("Users/{}", id(&made));
        let entra = json!([
            { "op": "Replace", "path": "displayName", "value": "Lady Ada" },
            { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "l@acme.test" },
        ]);
        let changed = client.patch(&path, entra).await.expect(200);
        assert_eq!(changed.json()["displayName"], "Lady Ada");
        assert_eq!(changed.json()["emails"][0]["value"], "l@acme.test");
        let whole = json!({ "userName": "ada2@acme.test", "externalId": "00u1", "active": true });
        let replaced = client.call(Method::PUT, &path, Some(whole)).await.expect(200);
        assert_eq!(replaced.json()["userName"], "ada2@acme.test");
        assert_eq!(replaced.json()["displayName"], "");
        client.call(Method::DELETE, &path, None).await.expect(204);
        client.get(&path).await.expect(404);
        assert!(!members(&app, &team).await.contains(&"ada".to_owned()));
        assert_eq!(app.audited(&team.tenant, "user.provision").await, 3);
        assert_eq!(app.audited(&team.tenant, "user.remove").await, 1);
    }

    async fn who_is_deactivated_is_out_at_once(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let client = Client::new(&app, &team, json!([])).await;
        let ada = client.user("ada").await;
        let mut conn = app.db.acquire().await.unwrap();
        let user: String = conn.query("SELECT user_id FROM external_identities")
            .fetch_scalar().await.unwrap();
        drop(conn);
        let actor = crate::context::Actor {
            kind: domain::access::ActorKind::User, id: user,
            ..crate::context::Actor::system(team.tenant.account(), "ada")
        };
        let token = app.token(&actor).await;
        app.get("/api/v2/account/details").by(&token).await.expect(200);
        let path = format!("Users/{ada}");
        let okta = json!([{ "op": "replace", "value": { "active": false } }]);
        let off = client.patch(&path, okta).await.expect(200);
        assert_eq!(off.json()["active"], false);
        app.get("/api/v2/account/details").by(&token).await.expect(401);
        let entra = json!([{ "op": "Replace", "path": "active", "value": "True" }]);
        assert_eq!(client.patch(&path, entra).await.expect(200).json()["active"], true);
        // What was revoked stays so.
        app.get("/api/v2/account/details").by(&token).await.expect(401);
        assert_eq!(app.audited(&team.tenant, "user.suspend").await, 1);
        assert_eq!(app.audited(&team.tenant, "user.resume").await, 1);
    }

    async fn groups_put_people_into_the_mapped_teams(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let teams = format!("/api/v2/organizations/{}/teams", team.environment.name);
        let sre = app.post(teams).by(&team.admin).attributes("teams", json!({ "name": "sre" })).await
            .expect(200).id();
        let client = Client::new(&app, &team, json!([{ "group": "SRE", "team-id": sre }])).await;
        let count = async || {
            app.get(format!("/api/v2/teams/{sre}")).by(&team.admin).await.attribute("users-count")
        };
        let (ada, bob) = (client.user("ada").await, client.user("bob").await);
        let body = json!({ "displayName": "SRE", "members": [{ "value": ada }] });
        let group = client.call(Method::POST, "Groups", Some(body)).await.expect(201);
        let path = format!("Groups/{}", id(&group));
        assert_eq!(count().await, 1);
        let add = json!([{ "op": "Add", "path": "members", "value": [{ "value": bob }] }]);
        client.patch(&path, add).await.expect(200);
        assert_eq!(count().await, 2);
        let found = client.find("Groups", r#"displayName eq "sre""#).await.expect(200);
        assert_eq!(found.json()["Resources"][0]["members"].as_array().unwrap().len(), 2);
        let is_in = format!(r#"id eq "{}" and members eq "{ada}""#, id(&group));
        assert_eq!(client.find("Groups", &is_in).await.json()["totalResults"], 1);
        let short = client.get("Groups?excludedAttributes=members").await.expect(200);
        assert!(short.json()["Resources"][0].get("members").is_none());
        let gone = format!("members[value eq \"{ada}\"]");
        client.patch(&path, json!([{ "op": "Remove", "path": gone }])).await.expect(200);
        assert_eq!(count().await, 1);
        // Another name stands for another team, or none.
        let rename = json!([{ "op": "Replace", "value": { "displayName": "Others" } }]);
        client.patch(&path, rename).await.expect(200);
        assert_eq!(count().await, 0);
        let back = json!([{ "op": "Replace", "path": "displayName", "value": "SRE" }]);
        client.patch(&path, back).await.expect(200);
        assert_eq!(count().await, 1);
        let read = client.get(&format!("Users/{bob}")).await.expect(200);
        assert_eq!(read.json()["groups"][0]["display"], "SRE");
        client.call(Method::DELETE, &path, None).await.expect(204);
        assert_eq!(count().await, 0);
    }

    async fn a_filter_is_only_what_it_says(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let client = Client::new(&app, &team, json!([])).await;
        client.user("ada").await;
        for value in ["' OR '1'='1", "ada' --", "%", "a%", "_da", "ada\\u0022 or", "\\\" or 1=1 --"] {
            let filter = format!(r#"userName eq "{value}""#);
            let found = client.find("Users", &filter).await.expect(200);
            assert_eq!(found.json()["totalResults"], 0, "{filter}");
        }
        for filter in [
            r#"userName eq "x" or userName pr"#, r#"password eq "x""#, r#"1=1"#, r#"userName sw "a""#,
            r#"subject) OR (1=1 eq "x""#,
        ] {
            let refused = client.find("Users", filter).await.expect(400);
            assert_eq!(refused.json()["scimType"], "invalidFilter", "{filter}");
        }
        let evil = json!({ "userName": "x'); DROP TABLE users; --", "externalId": "e" });
        client.call(Method::POST, "Users", Some(evil)).await.expect(201);
        assert_eq!(client.get("Users").await.expect(200).json()["totalResults"], 2);
        for id in ["x' OR '1'='1", "ext-none", "..%2F..%2FUsers"] {
            client.get(&format!("Users/{}", id.replace(' ', "%20"))).await.expect(404);
        }
    }

    async fn lists_come_in_parts(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let client = Client::new(&app, &team, json!([])).await;
        for number in 0..5 {
            client.user(&format!("user-name-{number}")).await;
        }
        let part = client.get("Users?startIndex=2&count=2").await.expect(200).json();
        assert_eq!((part["totalResults"].clone(), part["itemsPerPage"].clone()), (json!(5), json!(2)));
        assert_eq!(part["startIndex"], 2);
        let none = client.get("Users?count=0").await.expect(200).json();
        assert_eq!((none["totalResults"].clone(), none["itemsPerPage"].clone()), (json!(5), json!(0)));
        for path in ["ServiceProviderConfig", "Schemas", "ResourceTypes"] {
            client.get(path).await.expect(200);
        }
    }

    async fn a_token_is_of_one_provider_and_shown_once(db: Db) {
        let app = TestApp::new(db);
        let (team, other) = (app.team().await, app.team().await);
        let client = Client::new(&app, &team, json!([])).await;
        let stranger = Client::new(&app, &other, json!([])).await;
        let ada = client.user("ada").await;
        // Neither another provider's token, nor an administrator's, nor none.
        for token in [stranger.token.as_str(), team.admin.token.as_str(), "", "trn_scim_x_00000000"] {
            let path = format!("/scim/v2/{}/Users", client.provider);
            app.get(path).by(token).await.expect(401);
        }
        // Nor does it open anything else.
        app.get("/api/v2/account/details").by(&client.token).await.expect(401);
        // What is not the provider's own is not there.
        stranger.get(&format!("Users/{ada}")).await.expect(404);
        let body = json!({ "displayName": "g", "members": [{ "value": ada }] });
        stranger.call(Method::POST, "Groups", Some(body)).await.expect(400);
        let found = stranger.find("Users", r#"userName eq "ada""#).await.expect(200);
        assert_eq!(found.json()["totalResults"], 0);
        // The same name in another account is another user.
        stranger.user("ada").await;
        assert_eq!(members(&app, &other).await.len(), 3);
        let mut conn = app.db.acquire().await.unwrap();
        let kept: Vec<(String,)> = conn.query("SELECT hash FROM provisioning_tokens").fetch_all()
            .await.unwrap();
        assert!(kept.iter().all(|(hash,)| *hash != client.token));
        drop(conn);
        // A new one ends the old one; taken away, there is none.
        let next = token(&app, &team.admin, &client.provider).await;
        client.get("Users").await.expect(401);
        let client = Client { token: next, ..client };
        client.get("Users").await.expect(200);
        let path = format!("/api/v2/identity-providers/{}/provisioning-token", client.provider);
        app.delete(path).by(&team.admin).await.expect(204);
        client.get("Users").await.expect(401);
    }

    async fn a_person_of_two_accounts_is_touched_in_one(db: Db) {
        let app = TestApp::new(db);
        let (team, other) = (app.team().await, app.team().await);
        let client = Client::new(&app, &team, json!([])).await;
        // The other account's administrator is known to this account's provider too.
        let mut tx = app.db.begin().await.unwrap();
        tx.query("INSERT INTO memberships (account_id, user_id, created_at)
             VALUES ($1, $2, $3)")
            .bind(team.tenant.account()).bind(&other.admin.id).bind(app.clock.now())
            .execute().await.unwrap();
        tx.query("INSERT INTO external_identities (id, account_id, provider_id, subject, user_id,
                user_name, folded_name, email, display_name, provisioned, detail, created_at,
                updated_at)
             VALUES ('ext-1', $1, $2, 's', $3, 'n', 'n', '', '', $4, $5, $6, $6)")
            .bind(team.tenant.account()).bind(&client.provider).bind(&other.admin.id).bind(false)
            .bind(db::Json(json!({}))).bind(app.clock.now()).execute().await.unwrap();
        tx.commit().await.unwrap();
        let changes = json!([
            { "op": "Replace", "path": "userName", "value": "hijacked" },
            { "op": "Replace", "path": "emails", "value": [{ "value": "hijacked@evil.test" }] },
            { "op": "Replace", "path": "active", "value": false },
        ]);
        client.patch("Users/ext-1", changes).await.expect(200);
        let details = app.get("/api/v2/account/details").by(&other.admin).await.expect(200);
        assert_eq!(details.attribute("username"), other.admin.username);
        assert_eq!(details.attribute("email"), format!("{}@terrane.test", other.admin.username));
        client.call(Method::DELETE, "Users/ext-1", None).await.expect(204);
        app.get("/api/v2/account/details").by(&other.admin).await.expect(200);
    }

    async fn a_bypass_user_can_not_be_locked_out(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let client = Client::new(&app, &team, json!([])).await;
        let ada = client.user("ada").await;
        let mut conn = app.db.acquire().await.unwrap();
        let user: String = conn.query("SELECT user_id FROM external_identities")
            .fetch_scalar().await.unwrap();
        drop(conn);
        let body = json!({ "data": { "type": "sign-in-policies", "relationships": {
            "bypass-users": { "data": [{ "type": "users", "id": user }] } } } });
        app.patch("/api/v2/sign-in-policy").by(&team.admin).json(&body).await.expect(200);
        let off = json!([{ "op": "replace", "value": { "active": false } }]);
        client.patch(&format!("Users/{ada}"), off).await.expect(400);
        client.call(Method::DELETE, &format!("Users/{ada}"), None).await.expect(400);
    }
}
