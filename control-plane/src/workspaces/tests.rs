//! The slice on both databases, through its routes.

use std::sync::Arc;

use db::Db;
use http::StatusCode;
use serde_json::{Value, json};
use testkit::both_databases;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp};

both_databases! { MIGRATOR;
    async fn what_is_created_is_read_back(db: Db) {
        let (app, team) = setup(db).await;
        let made = create(&app, &team, json!({
            "name": "web", "description": "front", "terraform-version": "1.11.4",
            "auto-apply": true, "working-directory": "./live/eu/",
        })).await.expect(201);
        let read = app.get(by_name(&team, "web")).by(&team.reader).await.expect(200);
        assert_eq!(read.id(), made.id());
        assert_eq!(read.data()["type"], "workspaces");
        assert_eq!(read.attribute("description"), "front");
        assert_eq!(read.attribute("terraform-version"), "1.11.4");
        assert_eq!(read.attribute("auto-apply"), true);
        assert_eq!(read.attribute("working-directory"), "live/eu");
        assert_eq!(read.attribute("locked"), false);
        let by_id = app.get(format!("/api/v2/workspaces/{}", made.id())).by(&team.reader).await;
        assert_eq!(by_id.expect(200).id(), made.id());
        assert_eq!(app.audited(&team.tenant, "workspace.create").await, 2);
    }

    async fn permissions_say_what_the_caller_may_do(db: Db) {
        let (app, team) = setup(db).await;
        let path = format!("/api/v2/workspaces/{}", team.workspace.id);
        let admin = app.get(&path).by(&team.admin).await.attribute("permissions");
        let reader = app.get(&path).by(&team.reader).await.attribute("permissions");
        for (name, allowed) in admin.as_object().unwrap() {
            assert!(allowed.is_boolean(), "{name}");
        }
        assert_eq!((&admin["can-update"], &reader["can-update"]), (&json!(true), &json!(false)));
        assert_eq!((&admin["can-lock"], &reader["can-read-run"]), (&json!(true), &json!(true)));
    }

    async fn a_name_is_taken_once_per_environment(db: Db) {
        let (app, team) = setup(db).await;
        create(&app, &team, json!({ "name": "web" })).await.expect(201);
        let again = create(&app, &team, json!({ "name": "web" })).await.expect(422);
        assert_eq!(again.code(), "workspaces.name-taken");
        assert_eq!(again.pointer(), "/data/attributes/name");
        let other = app.environment(&team.account, "other-place").await;
        app.workspace(&other, "web").await;
    }

    async fn wrong_attributes_are_named(db: Db) {
        let (app, team) = setup(db).await;
        for (attributes, pointer) in [
            (json!({ "name": "a b" }), "/data/attributes/name"),
            (json!({ "name": "a", "terraform-version": "newest" }),
                "/data/attributes/terraform-version"),
            (json!({ "name": "a", "working-directory": "../up" }),
                "/data/attributes/working-directory"),
            (json!({ "name": "a", "auto-apply": "yes" }), "/data/attributes/auto-apply"),
            (json!({ "name": "a", "vcs-repo": { "identifier": "x/y" } }),
                "/data/attributes/vcs-repo"),
        ] {
            let refused = create(&app, &team, attributes).await.expect(422);
            assert_eq!(refused.pointer(), pointer, "{}", refused.text());
        }
    }

    async fn lists_are_paged_in_order_of_name(db: Db) {
        let (app, team) = setup_empty(db).await;
        for name in ["delta", "alpha", "charlie", "bravo", "echo"] {
            create(&app, &team, json!({ "name": name })).await.expect(201);
        }
        let first = list(&app, &team, "page[size]=2").await;
        assert_eq!(first.each("name"), ["alpha", "bravo"]);
        let pagination = &first.json()["meta"]["pagination"];
        assert_eq!(
            (&pagination["total-count"], &pagination["total-pages"], &pagination["next-page"]),
            (&json!(5), &json!(3), &json!(2))
        );
        let last = list(&app, &team, "page[size]=2&page[number]=3").await;
        assert_eq!(last.each("name"), ["echo"]);
        assert_eq!(last.json()["meta"]["pagination"]["next-page"], Value::Null);
        let backwards = list(&app, &team, "sort=-name&page[size]=1").await;
        assert_eq!(backwards.each("name"), ["echo"]);
    }

    async fn a_search_by_name_takes_its_text_literally(db: Db) {
        let (app, team) = setup_empty(db).await;
        for name in ["web-prod", "web_prod", "WEB-dev", "api"] {
            create(&app, &team, json!({ "name": name })).await.expect(201);
        }
        assert_eq!(list(&app, &team, "search[name]=web-").await.each("name").len(), 2);
        assert_eq!(list(&app, &team, "search[name]=b_p").await.each("name"), ["web_prod"]);
        assert_eq!(list(&app, &team, "search[name]=%25").await.each("name").len(), 0);
    }

    async fn tags_are_one_set_seen_in_two_ways(db: Db) {
        let (app, team) = setup_empty(db).await;
        let body = json!({ "data": {
            "type": "workspaces",
            "attributes": { "name": "web" },
            "relationships": {
                "tags": { "data": [{ "type": "tags", "attributes": { "name": "front" } }] },
                "tag-bindings": { "data": [
                    { "type": "tag-bindings", "attributes": { "key": "env", "value": "prod" } },
                ] },
            },
        } });
        let made = app.post(workspaces(&team)).by(&team.admin).json(&body).await.expect(201);
        assert_eq!(made.attribute("tag-names"), json!(["front"]));
        let path = format!("/api/v2/workspaces/{}", made.id());
        let bindings = app.get(format!("{path}/tag-bindings")).by(&team.reader).await.expect(200);
        assert_eq!(bindings.each("key"), ["env", "front"]);
        assert_eq!(bindings.each("value"), ["prod", ""]);

        let more = json!({ "data": [{ "type": "tags", "attributes": { "name": "blue" } }] });
        let tags = format!("{path}/relationships/tags");
        app.post(&tags).by(&team.admin).json(&more).await.expect(204);
        app.post(&tags).by(&team.admin).json(&more).await.expect(204);
        assert_eq!(app.get(&tags).by(&team.admin).await.each("name"), ["blue", "front"]);
        app.delete(&tags).by(&team.admin).json(&more).await.expect(204);
        assert_eq!(app.get(&tags).by(&team.admin).await.each("name"), ["front"]);
    }

    async fn lists_are_filtered_by_tags(db: Db) {
        let (app, team) = setup_empty(db).await;
        for (name, tags) in [
            ("one", json!([{ "key": "app", "value": "" }])),
            ("two", json!([{ "key": "app", "value": "" }, { "key": "env", "value": "prod" }])),
            ("three", json!([{ "key": "env", "value": "dev" }])),
        ] {
            let made = create(&app, &team, json!({ "name": name })).await.expect(201);
            let data: Vec<Value> = tags.as_array().unwrap().iter()
                .map(|tag| json!({ "type": "tag-bindings", "attributes": tag }))
                .collect();
            app.patch(format!("/api/v2/workspaces/{}/tag-bindings", made.id()))
                .by(&team.admin)
                .json(&json!({ "data": data }))
                .await
                .expect(200);
        }
        let names = async |query: &str| {
            let mut names = list(&app, &team, query).await.each("name");
            names.sort();
            names
        };
        assert_eq!(names("search[tags]=app").await, ["one", "two"]);
        assert_eq!(names("search[tags]=app,env").await, ["two"]);
        assert_eq!(names("search[tags]=env&search[exclude-tags]=app").await, ["three"]);
        assert_eq!(
            names("filter[tagged][0][key]=env&filter[tagged][0][value]=dev").await,
            ["three"]
        );
        assert_eq!(names("filter[tagged][0][key]=env").await, ["three", "two"]);
        // The CLI sends this beside its filters.
        assert_eq!(names("search[tags]=app&TagBindings=%7B+app%7D").await, ["one", "two"]);
    }

    async fn an_update_leaves_what_it_does_not_name(db: Db) {
        let (app, team) = setup(db).await;
        let path = format!("/api/v2/workspaces/{}", team.workspace.id);
        let change = |attributes| app.patch(&path).by(&team.admin).attributes("workspaces", attributes);
        change(json!({ "description": "first", "auto-apply": true })).await.expect(200);
        let second = change(json!({ "terraform-version": "1.9.0" })).await.expect(200);
        assert_eq!(second.attribute("description"), "first");
        assert_eq!(second.attribute("auto-apply"), true);
        assert_eq!(second.attribute("terraform-version"), "1.9.0");
        let renamed = change(json!({ "name": "renamed" })).await.expect(200);
        assert_eq!(renamed.attribute("name"), "renamed");
        app.get(by_name(&team, &team.workspace.name)).by(&team.admin).await.expect(404);
    }

    async fn a_lock_keeps_others_out_until_it_is_given_back(db: Db) {
        let (app, team) = setup(db).await;
        let path = format!("/api/v2/workspaces/{}/actions", team.workspace.id);
        let other = app.user(&team.account, domain::access::Role::Admin).await;
        // As the CLI sends it.
        let body = json!({ "data": { "type": "", "attributes": { "reason": "a change" } } });
        let locked = app.post(format!("{path}/lock")).by(&team.admin).json(&body).await.expect(200);
        assert_eq!(locked.attribute("locked"), true);
        assert_eq!(locked.attribute("lock-reason"), "a change");
        assert_eq!(
            locked.data()["relationships"]["locked-by"]["data"],
            json!({ "type": "users", "id": team.admin.id })
        );

        let again = app.post(format!("{path}/lock")).by(&other).await.expect(409);
        assert_eq!(again.code(), "workspaces.already-locked");
        let foreign = app.post(format!("{path}/unlock")).by(&other).await.expect(409);
        assert!(foreign.text().contains("is locked by User"), "{}", foreign.text());

        app.post(format!("{path}/unlock")).by(&team.admin).await.expect(200);
        let twice = app.post(format!("{path}/unlock")).by(&team.admin).await.expect(409);
        assert_eq!(twice.code(), "workspaces.not-locked");
    }

    async fn force_unlock_takes_a_persons_lock_away(db: Db) {
        let (app, team) = setup(db).await;
        let path = format!("/api/v2/workspaces/{}/actions", team.workspace.id);
        let other = app.user(&team.account, domain::access::Role::Admin).await;
        app.post(format!("{path}/lock")).by(&other).await.expect(200);
        app.post(format!("{path}/force-unlock")).by(&team.reader).await.expect(403);
        let freed = app.post(format!("{path}/force-unlock")).by(&team.admin).await.expect(200);
        assert_eq!(freed.attribute("locked"), false);
        assert_eq!(app.audited(&team.tenant, "workspace.force-unlock").await, 1);
        app.post(format!("{path}/force-unlock")).by(&team.admin).await.expect(409);
    }

    async fn of_many_who_lock_at_once_one_succeeds(db: Db) {
        let (app, team) = setup(db).await;
        let app = Arc::new(app);
        let path = format!("/api/v2/workspaces/{}/actions/lock", team.workspace.id);
        let start = Arc::new(Barrier::new(8));
        let mut tries = JoinSet::new();
        for _ in 0..8 {
            let user = app.user(&team.account, domain::access::Role::Admin).await;
            let (app, path, start) = (Arc::clone(&app), path.clone(), Arc::clone(&start));
            tries.spawn(async move {
                start.wait().await;
                (app.post(path).by(&user).await.status, user.id)
            });
        }
        let answers = tries.join_all().await;
        let winners: Vec<_> =
            answers.iter().filter(|(status, _)| *status == StatusCode::OK).collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|(status, _)| matches!(status.as_u16(), 200 | 409)));
        let held = app.get(format!("/api/v2/workspaces/{}", team.workspace.id))
            .by(&team.admin).await.expect(200);
        assert_eq!(
            held.data()["relationships"]["locked-by"]["data"]["id"],
            winners[0].1.to_string()
        );
        assert_eq!(app.audited(&team.tenant, "workspace.lock").await, 1);
    }

    async fn safe_delete_keeps_what_is_in_use(db: Db) {
        let (app, team) = setup(db).await;
        let path = format!("/api/v2/workspaces/{}", team.workspace.id);
        let safe_delete = || app.post(format!("{path}/actions/safe-delete")).by(&team.admin);

        app.post(format!("{path}/actions/lock")).by(&team.admin).await.expect(200);
        let locked = safe_delete().await.expect(409);
        // The CLI tells the reasons apart by their text.
        assert!(locked.text().contains("locked"), "{}", locked.text());
        app.post(format!("{path}/actions/unlock")).by(&team.admin).await.expect(200);

        app.set_resource_count(&team.workspace.id, 3).await;
        let managing = safe_delete().await.expect(409);
        assert_eq!(managing.code(), "workspaces.still-managing-resources");
        assert!(!managing.text().contains("locked"), "{}", managing.text());

        app.set_resource_count(&team.workspace.id, 0).await;
        safe_delete().await.expect(204);
        app.get(&path).by(&team.admin).await.expect(404);
    }

    async fn a_forced_delete_takes_everything_along(db: Db) {
        let (app, team) = setup(db).await;
        let path = format!("/api/v2/workspaces/{}", team.workspace.id);
        app.set_resource_count(&team.workspace.id, 3).await;
        let variable = json!({ "key": "a", "value": "b", "category": "terraform" });
        app.post(format!("{path}/vars")).by(&team.admin).attributes("vars", variable).await
            .expect(201);
        app.delete(&path).by(&team.admin).await.expect(204);
        app.get(&path).by(&team.admin).await.expect(404);
        assert_eq!(app.audited(&team.tenant, "workspace.delete").await, 1);
    }

    async fn another_tenant_sees_nothing_and_hits_nothing(db: Db) {
        let (app, team) = setup(db).await;
        let stranger = app.team().await;
        let id = format!("/api/v2/workspaces/{}", team.workspace.id);
        for answer in [
            app.get(&id).by(&stranger.admin).await,
            app.get(by_name(&team, &team.workspace.name)).by(&stranger.admin).await,
            app.get(workspaces(&team)).by(&stranger.admin).await,
            app.delete(&id).by(&stranger.admin).await,
            app.post(format!("{id}/actions/lock")).by(&stranger.admin).await,
        ] {
            let answer = answer.expect(404);
            assert_eq!(answer.code(), "request.not-found");
        }
        app.get(&id).by(&team.admin).await.expect(200);

        // Neither is an environment's id of another tenant a way in.
        let by_id = format!("/api/v2/organizations/{}/workspaces", team.environment.id);
        app.get(&by_id).by(&team.admin).await.expect(200);
        app.get(&by_id).by(&stranger.admin).await.expect(404);
    }

    async fn a_refusal_is_recorded_and_changes_nothing(db: Db) {
        let (app, team) = setup(db).await;
        let id = format!("/api/v2/workspaces/{}", team.workspace.id);
        let refused = app.delete(&id).by(&team.reader).await.expect(403);
        assert_eq!(refused.code(), "access.denied");
        assert_eq!(app.audited(&team.tenant, "workspaces:delete").await, 1);
        app.get(&id).by(&team.admin).await.expect(200);
    }

    async fn unknown_ids_are_not_found_whatever_they_look_like(db: Db) {
        let (app, team) = setup(db).await;
        for id in ["ws-doesnotexist", "nonexisting", "run-1", "ws-", "..%2f.."] {
            app.get(format!("/api/v2/workspaces/{id}")).by(&team.admin).await.expect(404);
        }
        app.get("/api/v2/workspaces/ws-%00").by(&team.admin).await.expect(400);
    }

    async fn a_repositorys_token_is_never_shown(db: Db) {
        let (app, team) = setup(db).await;
        let made = create(&app, &team, json!({ "name": "git", "git": {
            "url": "https://git.test/a/b.git", "reference": "main", "username": "robot",
            "token": "very-secret",
        } })).await.expect(201);
        assert!(!made.text().contains("very-secret"), "{}", made.text());
        assert_eq!(made.attribute("git")["url"], "https://git.test/a/b.git");
        let mut conn = app.db.acquire().await.unwrap();
        let id = made.id().parse().unwrap();
        let token = super::git_token(&app, &mut conn, &team.tenant, &id).await.unwrap().unwrap();
        assert_eq!(token.expose(), "very-secret");
    }

    async fn a_repository_over_ssh_needs_known_hosts_and_nothing_of_https(db: Db) {
        let (app, team) = setup(db).await;
        let known = "git.test ssh-ed25519 AAAA";
        let whole = json!({ "url": "git@git.test:a/b.git", "token": "key", "known-hosts": known });
        let made = create(&app, &team, json!({ "name": "ssh", "git": whole })).await.expect(201);
        assert_eq!(made.attribute("git")["url"], "git@git.test:a/b.git");
        for (field, value, pointer) in [
            ("known-hosts", json!(null), "known-hosts"),
            ("known-hosts", json!("nonsense"), "known-hosts"),
            ("username", json!("bot"), "username"),
            ("ca-pem", json!("pem"), "ca-pem"),
            ("url", json!("git@-oProxyCommand=x:a"), "url"),
            ("url", json!("ssh://u:secret@git.test/a"), "url"),
            ("url", json!("https://git.test/a"), "known-hosts"),
        ] {
            let mut git = whole.clone();
            git[field] = value;
            let refused = create(&app, &team, json!({ "name": "bad", "git": git }))
                .await
                .expect(422);
            let pointer = format!("/data/attributes/git/{pointer}");
            assert!(refused.text().contains(&pointer), "{}", refused.text());
        }
    }
}

async fn setup(db: Db) -> (TestApp, Team) {
    let app = TestApp::new(db);
    let team = app.team().await;
    (app, team)
}

/// Without the one workspace that a team comes with.
async fn setup_empty(db: Db) -> (TestApp, Team) {
    let (app, team) = setup(db).await;
    app.delete(format!("/api/v2/workspaces/{}", team.workspace.id))
        .by(&team.admin)
        .await
        .expect(204);
    (app, team)
}

fn workspaces(team: &Team) -> String {
    format!("/api/v2/organizations/{}/workspaces", team.environment.name)
}

fn by_name(team: &Team, name: &str) -> String {
    format!("{}/{name}", workspaces(team))
}

async fn create(app: &TestApp, team: &Team, attributes: Value) -> Answer {
    app.post(workspaces(team))
        .by(&team.admin)
        .attributes("workspaces", attributes)
        .await
}

async fn list(app: &TestApp, team: &Team, query: &str) -> Answer {
    app.get(format!("{}?{query}", workspaces(team)))
        .by(&team.reader)
        .await
        .expect(200)
}
