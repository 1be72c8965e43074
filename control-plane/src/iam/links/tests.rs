//! Links on both databases: made through the API, used on their pages.

use chrono::TimeDelta;
use db::Db;
use domain::access::Role;
use domain::ids::UserId;
use http::header;
use serde_json::{Value, json};
use testkit::both_databases;
use url::Url;

use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp, TestUser};

const PASSWORD: &str = "correct horse battery";

fn path_of(url: &Value) -> String {
    let url = Url::parse(url.as_str().unwrap()).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

async fn invite(app: &TestApp, team: &Team, attributes: Value) -> Answer {
    app.post("/api/v2/invitations")
        .by(&team.admin)
        .attributes("invitations", attributes)
        .await
}

/// Opens a link and sends its form. `session`: a cookie besides.
async fn fill(app: &TestApp, path: &str, session: &str, fields: &[(&str, &str)]) -> Answer {
    let page = app.get(path).header(header::COOKIE, session).await;
    if page.status != 200 {
        return page;
    }
    let own = page
        .header(header::SET_COOKIE)
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let value = |name: &str| {
        let start = page
            .text()
            .split_once(&format!("name=\"{name}\" value=\""))
            .unwrap()
            .1;
        start.split_once('"').unwrap().0.to_owned()
    };
    let (csrf, token) = (value("csrf"), value("token"));
    let mut all = vec![("csrf", csrf.as_str()), ("token", token.as_str())];
    all.extend(fields);
    let to = path.split_once('?').unwrap().0;
    let cookies = format!("{own}; {session}");
    app.post(to)
        .header(header::COOKIE, &cookies)
        .form(&all)
        .await
}

/// The session of a browser that signs in by password; nothing if it can't.
async fn sign_in(app: &TestApp, name: &str, password: &str) -> Option<String> {
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
        ("username", name),
        ("password", password),
        ("csrf", csrf),
        ("return_to", "/sign-in"),
    ];
    let answer = app
        .post("/sign-in")
        .header(header::COOKIE, &cookie)
        .form(&fields)
        .await;
    (answer.status == 303).then(|| {
        answer
            .header(header::SET_COOKIE)
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    })
}

/// Makes somebody a member of the team's account too.
async fn join(app: &TestApp, team: &Team, user: &UserId) {
    let mut tx = app.db.begin().await.unwrap();
    tx.query("INSERT INTO memberships (account_id, user_id, created_at) VALUES ($1, $2, $3)")
        .bind(team.tenant.account())
        .bind(user)
        .bind(app.clock.now())
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn role(app: &TestApp, team: &Team, name: &str) -> Option<String> {
    let path = format!(
        "/api/v2/organizations/{}/organization-memberships?q={name}",
        team.environment.name
    );
    app.get(path)
        .by(&team.admin)
        .await
        .expect(200)
        .each("role")
        .pop()
}

both_databases! { MIGRATOR;
    async fn an_invitation_makes_a_user_once(db: Db) {
        let app = TestApp::at(db, "2026-03-01T12:00:00Z");
        let team = app.team().await;
        let asked = json!({ "email": "ada@acme.test", "role": "admin" });
        let made = invite(&app, &team, asked).await.expect(201);
        let path = path_of(&made.attribute("url"));
        let list = app.get("/api/v2/invitations").by(&team.admin).await.expect(200);
        assert_eq!(list.each("email"), ["ada@acme.test"]);
        assert!(!list.text().contains("token="), "a list shows links");
        // Mistakes can be put right.
        let short = [("username", "ada-new"), ("password", "short")];
        fill(&app, &path, "", &short).await.expect(422);
        let taken = [("username", team.admin.username.as_str()), ("password", PASSWORD)];
        fill(&app, &path, "", &taken).await.expect(422);
        let good = [("username", "ada-new"), ("password", PASSWORD)];
        fill(&app, &path, "", &good).await.expect(200);
        fill(&app, &path, "", &good).await.expect(404);
        assert_eq!(role(&app, &team, "ada-new").await.as_deref(), Some("admin"));
        assert!(sign_in(&app, "ada-new", PASSWORD).await.is_some());
        assert_eq!(app.audited(&team.tenant, "invitation.accept").await, 1);
        let mut conn = app.db.acquire().await.unwrap();
        let left: i64 = conn.query("SELECT COUNT(*) FROM user_links").fetch_scalar().await.unwrap();
        assert_eq!(left, 0);
    }

    async fn an_invitation_ends_with_its_time_or_when_it_is_taken_back(db: Db) {
        let app = TestApp::at(db, "2026-03-01T12:00:00Z");
        let (team, other) = (app.team().await, app.team().await);
        let made = invite(&app, &team, json!({ "email": "a@b.test" })).await.expect(201);
        let path = path_of(&made.attribute("url"));
        let one = format!("/api/v2/invitations/{}", made.id());
        app.delete(&one).by(&other.admin).await.expect(404);
        app.delete(&one).by(&team.reader).await.expect(403);
        app.get(&path).await.expect(200);
        app.delete(&one).by(&team.admin).await.expect(204);
        app.get(&path).await.expect(404);
        let late = invite(&app, &team, json!({ "email": "a@b.test" })).await.expect(201);
        app.advance(TimeDelta::days(7));
        app.get(path_of(&late.attribute("url"))).await.expect(404);
        for (attributes, field) in [
            (json!({}), "email"), (json!({ "email": "x" }), "email"),
            (json!({ "email": "a@b.test", "role": "owner" }), "role"),
        ] {
            let refused = invite(&app, &team, attributes).await.expect(422);
            assert_eq!(refused.pointer(), format!("/data/attributes/{field}"));
        }
        app.post("/api/v2/invitations").by(&team.reader)
            .attributes("invitations", json!({ "email": "a@b.test" })).await.expect(403);
    }

    async fn a_user_of_another_account_joins_as_themselves(db: Db) {
        let app = TestApp::new(db);
        let (team, other) = (app.team().await, app.team().await);
        let person: TestUser = app.user_with_password(&other.account, Role::Reader, PASSWORD).await;
        let made = invite(&app, &team, json!({ "email": "a@b.test" })).await.expect(201);
        let path = path_of(&made.attribute("url"));
        // Nobody is signed in: nobody joins.
        fill(&app, &path, "", &[("action", "join")]).await.expect(422);
        let session = sign_in(&app, &person.username, PASSWORD).await.unwrap();
        fill(&app, &path, &session, &[("action", "join")]).await.expect(200);
        assert_eq!(role(&app, &team, &person.username).await.as_deref(), Some("reader"));
        // From elsewhere, without the page's token: nothing.
        let next = invite(&app, &team, json!({ "email": "a@b.test" })).await.expect(201);
        let path = path_of(&next.attribute("url"));
        let token = path.split_once("token=").unwrap().1.to_owned();
        let forged = [("token", token.as_str()), ("action", "join"), ("csrf", "x")];
        app.post("/invitation").header(header::COOKIE, &session).form(&forged).await.expect(403);
    }

    async fn a_link_gives_a_new_password_once(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let user = app.user_with_password(&team.account, Role::Reader, PASSWORD).await;
        let session = sign_in(&app, &user.username, PASSWORD).await.unwrap();
        let link = async |by: &TestUser| {
            app.post(format!("/api/v2/users/{}/password-link", user.id)).by(by).await
        };
        link(&team.reader).await.expect(403);
        let first = path_of(&link(&team.admin).await.expect(201).attribute("url"));
        let second = path_of(&link(&team.admin).await.expect(201).attribute("url"));
        app.get(&first).await.expect(404);
        fill(&app, &second, "", &[("password", "short")]).await.expect(422);
        fill(&app, &second, "", &[("password", "another horse battery")]).await.expect(200);
        fill(&app, &second, "", &[("password", PASSWORD)]).await.expect(404);
        assert!(sign_in(&app, &user.username, PASSWORD).await.is_none());
        assert!(sign_in(&app, &user.username, "another horse battery").await.is_some());
        // What the old password has opened is over.
        let page = app.get("/sign-in").header(header::COOKIE, &session).await.expect(200);
        assert!(page.text().contains("type=\"password\""));
    }

    async fn who_joins_another_account_meanwhile_is_not_taken_over_by_an_old_link(db: Db) {
        let app = TestApp::new(db);
        let (team, other) = (app.team().await, app.team().await);
        let user = app.user_with_password(&team.account, Role::Reader, PASSWORD).await;
        let path = format!("/api/v2/users/{}/password-link", user.id);
        let url = app.post(path).by(&team.admin).await.expect(201).attribute("url");
        join(&app, &other, &user.id).await;
        let stolen = [("password", "another horse battery")];
        let refused = fill(&app, &path_of(&url), "", &stolen).await;
        assert_ne!(refused.status, 200, "{}", refused.text());
        assert!(sign_in(&app, &user.username, PASSWORD).await.is_some());
        assert!(sign_in(&app, &user.username, "another horse battery").await.is_none());
    }

    async fn nobody_becomes_who_has_more_through_a_team(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let clerk = app.user(&team.account, Role::Reader).await;
        let chief = app.user(&team.account, Role::Reader).await;
        let make = async |path: &str, body: serde_json::Value| {
            app.post(path).by(&team.admin).json(&json!({ "data": body })).await
        };
        let organization = format!("/api/v2/organizations/{}", team.environment.name);
        let admins = make(&format!("{organization}/teams"),
            json!({ "type": "teams", "attributes": { "name": "chiefs" } })).await.expect(200).id();
        let users = json!([{ "type": "users", "id": chief.username }]);
        make(&format!("/api/v2/teams/{admins}/relationships/users"), users).await.expect(204);
        let clerks = make("/api/v2/roles", json!({ "type": "roles", "attributes": {
            "name": "clerk", "permissions": ["users:*"] } })).await.expect(201).id();
        for (subject, kind, id, role) in [
            ("team", "teams", admins.as_str(), "role-admin"),
            ("user", "users", clerk.id.as_str(), clerks.as_str()),
        ] {
            make("/api/v2/access-policies", json!({ "type": "access-policies", "relationships": {
                subject: { "data": { "type": kind, "id": id } },
                "role": { "data": { "type": "roles", "id": role } } } })).await.expect(201);
        }
        let link = async |user: &str| {
            let path = format!("/api/v2/users/{user}/password-link");
            app.post(path).by(&clerk).await
        };
        link(chief.id.as_str()).await.expect(403);
        link(team.reader.id.as_str()).await.expect(201);
    }

    async fn nobody_takes_over_a_person_of_another_account(db: Db) {
        let app = TestApp::new(db);
        let (team, other) = (app.team().await, app.team().await);
        join(&app, &team, &other.admin.id).await;
        let path = format!("/api/v2/users/{}/password-link", other.admin.id);
        let refused = app.post(path).by(&team.admin).await.expect(409);
        assert_eq!(refused.code(), "iam.shared-user");
        // The kinds of links are not taken for each other.
        let path = format!("/api/v2/users/{}/password-link", team.reader.id);
        let url = app.post(path).by(&team.admin).await.expect(201).attribute("url");
        let swapped = path_of(&url).replace("/password-reset", "/invitation");
        app.get(&swapped).await.expect(404);
    }
}
