//! One account's provider speaks for nobody in another.

use db::Db;
use serde_json::json;
use testkit::both_databases;

use super::fake::{Browser, Fake};
use crate::schema::MIGRATOR;

both_databases! { MIGRATOR;
    async fn a_name_or_an_address_is_nobody(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let victims = app.team().await;
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        // The name, the address and the id of an administrator of another account, and of one's own.
        for user in [&victims.admin, &team.admin] {
            for claim in ["sub", "preferred_username", "email"] {
                for value in [user.username.clone(), user.id.to_string(),
                    format!("{}@terrane.test", user.username)] {
                    let mut browser = Browser::at(&team);
                    let trip = browser.leave(&app, &provider, "").await;
                    let subject = format!("s-{}", bs58::encode(rand::random::<[u8; 6]>()).into_string());
                    let mut claims = fake.claims(&app, &trip.query["nonce"], &subject);
                    claims[claim] = json!(value);
                    fake.give(&fake.key.sign(&claims));
                    browser.come_back(&app, &trip, "&code=c").await.expect(200);
                    let name = browser.user(&app).await.unwrap();
                    assert_ne!(name, user.username, "{claim}: {value}");
                }
            }
        }
        // Nobody came into the other account, and nothing there has changed.
        let mut conn = app.db.acquire().await.unwrap();
        let members: i64 = conn.query("SELECT COUNT(*) FROM memberships WHERE account_id = $1")
            .bind(victims.tenant.account()).fetch_scalar().await.unwrap();
        assert_eq!(members, 2);
        let email: String = conn.query("SELECT email FROM users WHERE id = $1")
            .bind(&victims.admin.id).fetch_scalar().await.unwrap();
        assert_eq!(email, format!("{}@terrane.test", victims.admin.username));
    }

    async fn one_subject_at_two_accounts_is_two_people(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let (one, two) = (app.team().await, app.team().await);
        let first = fake.provider(&app, &one, json!({})).await;
        let second = fake.provider(&app, &two, json!({})).await;
        let mut here = Browser::at(&one);
        here.sign_in(&app, &fake, &first, "ada").await.expect(200);
        let mut there = Browser::at(&two);
        there.sign_in(&app, &fake, &second, "ada").await.expect(200);
        let (name, other) = (here.user(&app).await.unwrap(), there.user(&app).await.unwrap());
        assert_eq!(name, "ada");
        assert!(other.starts_with("ada-"), "{other}");
        // A session of one account is nothing at the other's door.
        let mut moved = here.clone();
        moved.host = there.host.clone();
        assert_eq!(moved.user(&app).await, None);
        // Nor is the provider there.
        let path = format!("/sign-in/providers/{first}");
        Browser::at(&two).get(&app, &path).await.expect(404);
    }

    async fn who_belongs_to_two_accounts_comes_into_the_providers_only(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let (one, two) = (app.team().await, app.team().await);
        let provider = fake.provider(&app, &one, json!({})).await;
        // The user of account two is a member of account one as well.
        let mut tx = app.db.begin().await.unwrap();
        tx.query("INSERT INTO memberships (account_id, user_id, created_at)
             VALUES ($1, $2, $3)")
            .bind(one.tenant.account()).bind(&two.admin.id).bind(app.clock.now())
            .execute().await.unwrap();
        tx.query("INSERT INTO external_identities (id, account_id, provider_id, subject, user_id,
                user_name, folded_name, email, display_name, provisioned, detail, created_at,
                updated_at)
             VALUES ('ext-1', $1, $2, 'ada', $3, 'ada', 'ada', '', '', $4, $5, $6, $6)")
            .bind(one.tenant.account()).bind(&provider).bind(&two.admin.id).bind(false)
            .bind(db::Json(json!({}))).bind(app.clock.now()).execute().await.unwrap();
        tx.commit().await.unwrap();
        let mut browser = Browser::at(&one);
        browser.sign_in(&app, &fake, &provider, "ada").await.expect(200);
        assert_eq!(browser.user(&app).await.as_deref(), Some(two.admin.username.as_str()));
        browser.host = Some(format!("{}.terrane.test", two.account.name));
        assert_eq!(browser.user(&app).await, None, "account one's provider opens account two");
    }

    async fn who_is_unknown_or_suspended_does_not_get_in(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({ "create-users": false })).await;
        let mut browser = Browser::at(&team);
        let told = browser.sign_in(&app, &fake, &provider, "ada").await.expect(403);
        assert!(told.text().contains("not known here"), "{}", told.text());
        let path = format!("/api/v2/identity-providers/{provider}");
        app.patch(&path).by(&team.admin)
            .attributes("identity-providers", json!({ "create-users": true })).await.expect(200);
        browser.sign_in(&app, &fake, &provider, "ada").await.expect(200);
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE memberships SET suspended_at = $2 WHERE account_id = $1 AND user_id =
            (SELECT user_id FROM external_identities WHERE subject = 'ada')")
            .bind(team.tenant.account()).bind(app.clock.now()).execute().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(browser.user(&app).await, None);
        browser.sign_in(&app, &fake, &provider, "ada").await.expect(403);
    }

    async fn groups_are_teams_where_that_is_said(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let teams = format!("/api/v2/organizations/{}/teams", team.environment.name);
        let make = async |name: &str| {
            app.post(&teams).by(&team.admin).attributes("teams", json!({ "name": name })).await
                .expect(200).id()
        };
        let (sre, dba) = (make("sre").await, make("dba").await);
        let mappings = json!([
            { "group": "Site reliability", "team-id": sre }, { "group": "Databases", "team-id": dba },
        ]);
        let provider = fake.provider(&app, &team, json!({ "team-mappings": mappings })).await;
        let people = async |id: &str| {
            app.get(format!("/api/v2/teams/{id}")).by(&team.admin).await.attribute("users-count")
        };
        for (groups, in_sre, in_dba) in [
            (json!(["Site reliability", "else"]), 1, 0),
            (json!(["Databases"]), 0, 1),
            (json!("Databases"), 0, 1),
            (json!([]), 0, 0),
        ] {
            let mut browser = Browser::at(&team);
            let trip = browser.leave(&app, &provider, "").await;
            let mut claims = fake.claims(&app, &trip.query["nonce"], "ada");
            claims["groups"] = groups;
            fake.give(&fake.key.sign(&claims));
            browser.come_back(&app, &trip, "&code=c").await.expect(200);
            assert_eq!((people(&sre).await, people(&dba).await), (json!(in_sre), json!(in_dba)));
        }
        // A team of another account can't be meant.
        let other = app.team().await;
        let path = format!("/api/v2/organizations/{}/teams", other.environment.name);
        let foreign = app.post(path).by(&other.admin).attributes("teams", json!({ "name": "sre" }))
            .await.expect(200).id();
        let path = format!("/api/v2/identity-providers/{provider}");
        let mappings = json!({ "team-mappings": [{ "group": "a", "team-id": foreign }] });
        let refused = app.patch(path).by(&team.admin)
            .attributes("identity-providers", mappings).await.expect(422);
        assert_eq!(refused.pointer(), "/data/attributes/team-mappings/0/team-id");
    }

    async fn the_client_secret_is_sealed_and_never_shown(db: Db) {
        let fake = Fake::start().await;
        let app = fake.app(db);
        let team = app.team().await;
        let provider = fake.provider(&app, &team, json!({})).await;
        let path = format!("/api/v2/identity-providers/{provider}");
        let read = app.get(&path).by(&team.admin).await.expect(200);
        assert_eq!(read.attribute("has-secret"), true);
        let secret = super::fake::SECRET;
        assert!(!read.text().contains(secret));
        let mut conn = app.db.acquire().await.unwrap();
        let sealed: Vec<u8> = conn.query("SELECT sealed_secret FROM identity_providers")
            .fetch_scalar().await.unwrap();
        assert!(!sealed.windows(secret.len()).any(|it| it == secret.as_bytes()));
        drop(conn);
        let mut browser = Browser::at(&team);
        browser.sign_in(&app, &fake, &provider, "ada").await.expect(200);
        let basic = fake.server.requests().into_iter().find(|it| it.starts_with("/token")).unwrap();
        assert!(basic.starts_with("/token Basic "), "{basic}");
    }
}
