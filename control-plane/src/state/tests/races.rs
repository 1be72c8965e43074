//! Several writers at once. PostgreSQL shows here what SQLite's single writer hides.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::Db;
use serde_json::json;
use testkit::both_databases;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{
    announce, applying, bring, current, grant, push, setup, state, upload, url, workspace_path,
};
use crate::schema::MIGRATOR;
use crate::state::Disposition;

const WRITERS: usize = 6;

both_databases! { MIGRATOR;
    async fn of_many_pushes_of_one_serial_one_wins(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let (app, team) = (Arc::new(app), Arc::new(team));
        let start = Arc::new(Barrier::new(WRITERS));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (app, team, start) = (Arc::clone(&app), Arc::clone(&team), Arc::clone(&start));
            writers.spawn(async move {
                let content = state(2, "l", &format!("writer-{writer}"));
                let attributes = json!({ "state": STANDARD.encode(&content) });
                start.wait().await;
                let answer = app.post(workspace_path(&team, "state-versions")).by(&team.admin)
                    .attributes("state-versions", attributes).await;
                (answer, content)
            });
        }
        let answers = writers.join_all().await;
        let (won, lost): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(answer, _)| answer.status == 201);
        assert_eq!(won.len(), 1);
        for (answer, _) in lost {
            assert_eq!(answer.expect(409).code(), "state.serial-taken");
        }
        let now = current(&app, &team).await.expect(200);
        let raw = app.get(url(&now, "hosted-state-download-url")).by(&team.admin).await;
        assert_eq!(raw.expect(200).text(), won[0].1);
    }

    async fn of_many_announced_pushes_the_last_announced_wins(db: Db) {
        let (app, team) = setup(db).await;
        let (app, team) = (Arc::new(app), Arc::new(team));
        let start = Arc::new(Barrier::new(WRITERS));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (app, team, start) = (Arc::clone(&app), Arc::clone(&team), Arc::clone(&start));
            writers.spawn(async move {
                let content = state(1, "l", &format!("writer-{writer}"));
                start.wait().await;
                let announced = announce(&app, &team, &content, 1, "l").await;
                if announced.status != 201 {
                    return announced.status.as_u16();
                }
                let path = url(&announced, "hosted-state-upload-url");
                upload(&app, &path, &content).await.status.as_u16()
            });
        }
        let answers = writers.join_all().await;
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|status| matches!(status, 200 | 409)), "{answers:?}");
        assert_eq!(app.audited(&team.tenant, "state-version.create").await, 1);
    }

    async fn two_uploads_of_the_same_bytes_are_one(db: Db) {
        let (app, team) = setup(db).await;
        let content = state(1, "l", "a");
        let announced = announce(&app, &team, &content, 1, "l").await.expect(201);
        let path = url(&announced, "hosted-state-upload-url");
        let (one, two) = tokio::join!(upload(&app, &path, &content), upload(&app, &path, &content));
        one.expect(200);
        two.expect(200);
        assert_eq!(app.audited(&team.tenant, "state-version.create").await, 1);
        let outputs =
            app.get(workspace_path(&team, "current-state-version-outputs")).by(&team.admin).await;
        assert_eq!(outputs.expect(200).data().as_array().unwrap().len(), 3);
    }

    async fn of_two_runners_one_writes_and_nothing_is_lost(db: Db) {
        let (app, team) = setup(db).await;
        push(&app, &team, 1, "l", "a").await;
        let run = applying(&app, &team).await;
        let (app, grant) = (Arc::new(app), grant(&team, &run));
        let start = Arc::new(Barrier::new(WRITERS));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (app, grant, start) = (Arc::clone(&app), grant.clone(), Arc::clone(&start));
            writers.spawn(async move {
                start.wait().await;
                bring(&app, &grant, &state(2, "l", &format!("w{writer}")), 2, "l").await.unwrap()
            });
        }
        let ends = writers.join_all().await;
        let stored = ends.iter().filter(|end| matches!(end, Disposition::Stored(_))).count();
        let kept = ends.iter().filter(|end| matches!(end, Disposition::Quarantined(..))).count();
        assert_eq!((stored, kept), (1, WRITERS - 1), "{ends:?}");
    }
}
