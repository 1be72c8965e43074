//! Users and tokens on both databases, through their routes.

use chrono::TimeDelta;
use db::Db;
use domain::Secret;
use domain::access::Role;
use domain::ids::JobId;
use serde_json::{Value, json};
use testkit::both_databases;

use super::{BootstrapInput, IamError, NewUser, bootstrap, create_user, reset_password};
use crate::schema::MIGRATOR;
use crate::testing::{Team, TestApp, TestUser};

both_databases! { MIGRATOR;
    async fn account_details_say_whose_token_it_is(db: Db) {
        let (app, team) = setup(db).await;
        let own = app.get("/api/v2/account/details").by(&team.reader).await.expect(200);
        assert_eq!(own.data()["type"], "users");
        assert_eq!(own.id(), team.reader.id.to_string());
        assert_eq!(own.attribute("username"), team.reader.username);
        assert_eq!(own.attribute("is-service-account"), false);
        assert_eq!(own.attribute("avatar-url"), Value::Null);
        assert_eq!(own.attribute("two-factor"), json!({ "enabled": false, "verified": false }));
    }

    async fn a_token_that_is_none_is_refused(db: Db) {
        let (app, _) = setup(db).await;
        let unknown = super::TokenText::random(domain::access::TokenKind::User);
        for token in ["", "junk", "trn_user_x_00000000", unknown.text.expose()] {
            let refused = app.get("/api/v2/account/details").by(token).await.expect(401);
            assert_eq!(refused.code(), "access.unauthenticated");
        }
    }

    async fn members_see_each_other_but_not_their_addresses(db: Db) {
        let (app, team) = setup(db).await;
        let path = |user: &TestUser| format!("/api/v2/users/{}", user.id);
        let seen = app.get(path(&team.admin)).by(&team.reader).await.expect(200);
        assert_eq!(seen.attribute("email"), Value::Null);
        let seen = app.get(path(&team.reader)).by(&team.admin).await.expect(200);
        assert!(seen.attribute("email").is_string());
        let stranger = app.team().await;
        app.get(path(&team.admin)).by(&stranger.admin).await.expect(404);
    }

    async fn a_token_is_shown_once_and_works_until_it_is_deleted(db: Db) {
        let (app, team) = setup(db).await;
        let tokens = tokens_of(&team.reader);
        let made = app.post(&tokens).by(&team.reader)
            .attributes("authentication-tokens", json!({ "description": "laptop" }))
            .await.expect(201);
        let text = made.attribute("token").as_str().unwrap().to_owned();
        app.get("/api/v2/account/details").by(&text).await.expect(200);

        let path = format!("/api/v2/authentication-tokens/{}", made.id());
        let read = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(read.attribute("description"), "laptop");
        assert_eq!(read.attribute("token"), Value::Null);
        assert!(read.attribute("last-used-at").is_string());
        let list = app.get(&tokens).by(&team.reader).await.expect(200);
        assert!(!list.text().contains(&text));
        assert_eq!(list.data().as_array().unwrap().len(), 2);

        app.delete(&path).by(&text).await.expect(204);
        app.get("/api/v2/account/details").by(&text).await.expect(401);
        for action in ["token.create", "token.delete"] {
            assert_eq!(app.audited(&team.tenant, action).await, 1, "{action}");
        }
    }

    async fn a_token_can_be_made_without_saying_anything(db: Db) {
        let (app, team) = setup(db).await;
        let body = json!({ "data": { "type": "authentication-tokens" } });
        app.post(tokens_of(&team.admin)).by(&team.admin).json(&body).await.expect(201);
    }

    async fn a_token_ends_when_it_says(db: Db) {
        let app = TestApp::at(db, "2026-03-01T12:00:00Z");
        let team = app.team().await;
        let create = |at: &str| {
            app.post(tokens_of(&team.admin)).by(&team.admin)
                .attributes("authentication-tokens", json!({ "expired-at": at }))
        };
        let past = create("2026-03-01T12:00:00Z").await.expect(422);
        assert_eq!(past.pointer(), "/data/attributes/expired-at");
        let made = create("2026-03-01T13:00:00Z").await.expect(201);
        let text = made.attribute("token").as_str().unwrap().to_owned();
        app.advance(TimeDelta::minutes(59));
        app.get("/api/v2/account/details").by(&text).await.expect(200);
        app.advance(TimeDelta::minutes(1));
        app.get("/api/v2/account/details").by(&text).await.expect(401);
    }

    async fn nobody_acts_in_anothers_name(db: Db) {
        let (app, team) = setup(db).await;
        let theirs = tokens_of(&team.reader);
        app.get(&theirs).by(&team.admin).await.expect(200);
        let made = app.post(&theirs).by(&team.admin)
            .attributes("authentication-tokens", json!({}))
            .await.expect(403);
        assert_eq!(made.code(), "access.denied");
        app.get(tokens_of(&team.admin)).by(&team.reader).await.expect(403);
    }

    async fn an_administrator_takes_a_members_token_away(db: Db) {
        let (app, team) = setup(db).await;
        let list = app.get(tokens_of(&team.reader)).by(&team.admin).await.expect(200);
        let id = list.data()[0]["id"].as_str().unwrap().to_owned();
        app.delete(format!("/api/v2/authentication-tokens/{id}")).by(&team.admin).await
            .expect(204);
        app.get("/api/v2/account/details").by(&team.reader).await.expect(401);
    }

    async fn a_runs_token_dies_with_its_lease(db: Db) {
        let (app, team) = setup(db).await;
        let run = app.run_in_progress(&team.workspace).await;
        let path = format!("/api/v2/workspaces/{}", team.workspace.id);
        app.get(&path).by(&run).await.expect(200);
        set_epoch(&app, &run.job, 2).await;
        app.get(&path).by(&run).await.expect(401);

        set_epoch(&app, &run.job, 1).await;
        app.get(&path).by(&run).await.expect(200);
        let mut tx = app.db.begin().await.unwrap();
        super::revoke_job_tokens(&mut tx, &team.tenant, &run.job).await.unwrap();
        tx.commit().await.unwrap();
        app.get(&path).by(&run).await.expect(401);
    }

    async fn a_user_name_belongs_to_one_person(db: Db) {
        let (app, team) = setup(db).await;
        let new = |name: &str| NewUser {
            username: name.to_owned(),
            email: String::new(),
            password: None,
            role: Role::Reader,
        };
        let ctx = app.system(&team.account);
        assert_eq!(create_user(&app, &ctx, new("Ada")).await.unwrap().username, "ada");
        let again = create_user(&app, &ctx, new("ADA")).await.unwrap_err();
        assert!(matches!(again, IamError::UsernameTaken { .. }), "{again}");
        let bad = create_user(&app, &ctx, new("a b")).await.unwrap_err();
        assert!(matches!(bad, IamError::Invalid { .. }), "{bad}");
    }

    async fn a_password_against_the_rules_is_refused(db: Db) {
        let (app, team) = setup(db).await;
        let ctx = app.system(&team.account);
        let short = Secret::new("short".to_owned());
        let refused = reset_password(&app, &ctx, &team.admin.username, &short).await.unwrap_err();
        assert!(matches!(refused, IamError::Invalid { .. }), "{refused}");
        let long = Secret::new("quite long enough".to_owned());
        let unknown = reset_password(&app, &ctx, "nobody", &long).await.unwrap_err();
        assert!(matches!(unknown, IamError::NotFound), "{unknown}");
        let reader = app.context(&team.reader);
        let denied = reset_password(&app, &reader, &team.admin.username, &long).await.unwrap_err();
        assert!(matches!(denied, IamError::Denied(_)), "{denied}");
        reset_password(&app, &ctx, &team.admin.username, &long).await.unwrap();
        assert_eq!(app.audited(&team.tenant, "user.reset-password").await, 1);
    }

    async fn an_empty_installation_is_set_up_once(db: Db) {
        let app = TestApp::new(db);
        let input = || BootstrapInput {
            username: "admin".to_owned(),
            email: "admin@terrane.test".to_owned(),
            password: Secret::new("correct horse battery".to_owned()),
            environment: "demo".to_owned(),
        };
        let made = bootstrap(&app, input()).await.unwrap();
        let token = made.token.expose();
        let details = app.get("/api/v2/account/details").by(token).await.expect(200);
        assert_eq!(details.attribute("username"), "admin");
        assert_eq!(details.attribute("role"), "admin");
        app.get("/api/v2/organizations/demo/entitlement-set").by(token).await.expect(200);
        app.post("/api/v2/organizations/demo/workspaces").by(token)
            .attributes("workspaces", json!({ "name": "a", "agent-pool-id": made.pool }))
            .await.expect(201);
        let again = bootstrap(&app, input()).await.unwrap_err();
        assert!(matches!(again, IamError::AlreadySetUp), "{again}");
    }

    async fn a_set_up_that_fails_leaves_nothing(db: Db) {
        let app = TestApp::new(db);
        let input = |environment: &str| BootstrapInput {
            username: "admin".to_owned(),
            email: String::new(),
            password: Secret::new("correct horse battery".to_owned()),
            environment: environment.to_owned(),
        };
        let bad = bootstrap(&app, input("no such name!")).await.unwrap_err();
        assert!(matches!(bad, IamError::FirstEnvironment { .. }), "{bad}");
        bootstrap(&app, input("demo")).await.unwrap();
    }
}

async fn setup(db: Db) -> (TestApp, Team) {
    let app = TestApp::new(db);
    let team = app.team().await;
    (app, team)
}

fn tokens_of(user: &TestUser) -> String {
    format!("/api/v2/users/{}/authentication-tokens", user.id)
}

async fn set_epoch(app: &TestApp, job: &JobId, epoch: i64) {
    let mut tx = app.db.begin().await.unwrap();
    tx.query("UPDATE jobs SET epoch = $2 WHERE id = $1")
        .bind(job)
        .bind(epoch)
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
}
