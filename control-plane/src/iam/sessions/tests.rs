//! Sessions on both databases, through their routes.

use db::Db;
use domain::access::Role;
use domain::ids::SessionId;
use testkit::both_databases;

use crate::schema::MIGRATOR;
use crate::testing::{TestApp, TestUser};

/// A browser of `user`, signed in by password, or through a provider of `account`.
async fn session(app: &TestApp, user: &TestUser, account: Option<&str>) -> String {
    let id = SessionId::random();
    let now = app.clock.now();
    let mut tx = app.db.begin().await.unwrap();
    tx.query(
        "INSERT INTO sessions (id, user_id, hash, created_at, expires_at, account_id, user_agent)
         VALUES ($1, $2, $3, $4, $5, $6, 'a browser')",
    )
    .bind(&id)
    .bind(&user.id)
    .bind(id.to_string())
    .bind(now)
    .bind(now + chrono::TimeDelta::hours(1))
    .bind(account.map(str::to_owned))
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
    id.to_string()
}

both_databases! { MIGRATOR;
    async fn everybody_signs_their_own_browsers_out(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let own = session(&app, &team.reader, None).await;
        let list = format!("/api/v2/users/{}/sessions", team.reader.id);
        let seen = app.get(&list).by(&team.reader).await.expect(200);
        assert_eq!(seen.each("user-agent"), ["a browser"]);
        app.get(&list).by(&team.admin).await.expect(200);
        let others = session(&app, &team.admin, None).await;
        app.get(format!("/api/v2/users/{}/sessions", team.admin.id)).by(&team.reader).await
            .expect(403);
        app.delete(format!("/api/v2/sessions/{others}")).by(&team.reader).await.expect(404);
        app.delete(format!("/api/v2/sessions/{own}")).by(&team.reader).await.expect(204);
        app.delete(format!("/api/v2/sessions/{own}")).by(&team.reader).await.expect(404);
        assert_eq!(app.audited(&team.tenant, "session.delete").await, 1);
    }

    async fn an_account_ends_what_is_its_own_only(db: Db) {
        let app = TestApp::new(db);
        let (team, other) = (app.team().await, app.team().await);
        let person = app.user(&other.account, Role::Reader).await;
        let mut tx = app.db.begin().await.unwrap();
        tx.query("INSERT INTO memberships (account_id, user_id, created_at)
             VALUES ($1, $2, $3)")
            .bind(team.tenant.account()).bind(&person.id).bind(app.clock.now())
            .execute().await.unwrap();
        tx.commit().await.unwrap();
        let everywhere = session(&app, &person, None).await;
        let here = session(&app, &person, Some(team.tenant.account().as_str())).await;
        let there = session(&app, &person, Some(other.tenant.account().as_str())).await;
        for id in [&everywhere, &there] {
            app.delete(format!("/api/v2/sessions/{id}")).by(&team.admin).await.expect(404);
        }
        let list = format!("/api/v2/users/{}/sessions", person.id);
        let seen = app.get(&list).by(&team.admin).await.expect(200);
        assert_eq!(seen.data().as_array().unwrap().len(), 1);
        app.delete(format!("/api/v2/sessions/{here}")).by(&team.admin).await.expect(204);
        let own = app.get(&list).by(&person).await.expect(200);
        assert_eq!(own.data().as_array().unwrap().len(), 2);
    }
}
