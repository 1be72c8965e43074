//! Whatever somebody does to the rows is found by `audit verify`, and the first broken record named.

use db::Db;
use testkit::both_databases;

use super::*;
use crate::schema::MIGRATOR;

/// One statement per column, on the record with the sequence 4.
const CHANGES: &[(&str, &str)] = &[
    (
        "id",
        "UPDATE audit_records SET id = 'aud-1111111111111111' WHERE sequence = 4",
    ),
    (
        "account_id",
        "UPDATE audit_records SET sequence = 1000, account_id =
        (SELECT MAX(id) FROM accounts WHERE id NOT IN (SELECT account_id FROM audit_chains))
        WHERE sequence = 4",
    ),
    (
        "at",
        "UPDATE audit_records SET at = '2020-01-01 00:00:00+00:00' WHERE sequence = 4",
    ),
    (
        "actor_kind",
        "UPDATE audit_records SET actor_kind = 'runner' WHERE sequence = 4",
    ),
    (
        "actor_id",
        "UPDATE audit_records SET actor_id = 'user-1' WHERE sequence = 4",
    ),
    (
        "actor_name",
        "UPDATE audit_records SET actor_name = 'nobody' WHERE sequence = 4",
    ),
    (
        "token_last_six",
        "UPDATE audit_records SET token_last_six = 'zzzzzz' WHERE sequence = 4",
    ),
    (
        "action",
        "UPDATE audit_records SET action = 'run.create' WHERE sequence = 4",
    ),
    (
        "target_kind",
        "UPDATE audit_records SET target_kind = 'runs' WHERE sequence = 4",
    ),
    (
        "target_id",
        "UPDATE audit_records SET target_id = 'run-1' WHERE sequence = 4",
    ),
    (
        "environment_id",
        "UPDATE audit_records SET environment_id = 'env-1' WHERE sequence = 4",
    ),
    (
        "workspace_id",
        "UPDATE audit_records SET workspace_id = 'ws-1' WHERE sequence = 4",
    ),
    (
        "outcome",
        "UPDATE audit_records SET outcome = 'denied' WHERE sequence = 4",
    ),
    (
        "source_address",
        "UPDATE audit_records SET source_address = '192.0.2.1' WHERE sequence = 4",
    ),
    (
        "request_id",
        "UPDATE audit_records SET request_id = 'req-1' WHERE sequence = 4",
    ),
    (
        "detail",
        "UPDATE audit_records SET detail = '{\"key\": \"other\"}' WHERE sequence = 4",
    ),
    (
        "before_digest",
        "UPDATE audit_records SET before_digest = 'x' WHERE sequence = 4",
    ),
    (
        "after_digest",
        "UPDATE audit_records SET after_digest = 'x' WHERE sequence = 4",
    ),
    (
        "sequence",
        "UPDATE audit_records SET sequence = 1000 WHERE sequence = 4",
    ),
    (
        "hash",
        "UPDATE audit_records SET hash = 'x' WHERE sequence = 4",
    ),
];

/// An account with five sealed records at least, and no other that has any.
async fn sealed(db: Db) -> (TestApp, Team, Vec<String>) {
    let app = TestApp::new(db);
    let team = app.team().await;
    app.account().await;
    deeds(&app, &team, 6).await;
    let lines = export(&app, &team).await;
    verified(&lines).unwrap();
    (app, team, lines)
}

/// The whole log as it is now, without one more record in it for the asking.
async fn again(app: &TestApp, team: &Team) -> Vec<String> {
    let mut lines = export(app, team).await;
    lines.pop();
    lines
}

both_databases! { MIGRATOR;
    async fn a_change_of_any_column_is_found(db: Db) {
        let schema = db.clone();
        let mut conn = schema.acquire().await.unwrap();
        let tables = conn.tables().await.unwrap();
        drop(conn);
        let table = tables.iter().find(|it| it.name == "audit_records").unwrap();
        let mut columns: Vec<&str> = table.columns.iter().map(|it| it.name.as_str()).collect();
        let mut tested: Vec<&str> = CHANGES.iter().map(|(column, _)| *column).collect();
        columns.sort_unstable();
        tested.sort_unstable();
        assert_eq!(tested, columns, "every column has its statement");

        let (app, team, lines) = sealed(db).await;
        let original = parsed(&lines[3]);
        let mut restore = Vec::new();
        for (column, statement) in CHANGES {
            let mut tx = app.db.begin().await.unwrap();
            assert_eq!(tx.query(statement).execute().await.unwrap(), 1, "{column}");
            tx.commit().await.unwrap();
            let error = verified(&again(&app, &team).await).unwrap_err();
            // What follows a changed hash is what is found where the record itself is gone.
            let named = error.contains(original["id"].as_str().unwrap()) || match *column {
                "id" => error.contains("aud-1111111111111111"),
                "account_id" | "sequence" => error.contains("the sequence 4 should be here"),
                _ => false,
            };
            assert!(named, "{column}: {error}");
            restore.push(column);
            put_back(&app, &original).await;
            verified(&again(&app, &team).await).unwrap();
        }
    }

    async fn a_record_that_is_gone_is_missed(db: Db) {
        let (app, team, _) = sealed(db).await;
        sql(&app, "DELETE FROM audit_records WHERE sequence = 3").await;
        let error = verified(&again(&app, &team).await).unwrap_err();
        assert!(error.contains("sequence 4"), "{error}");
        assert!(error.contains("the sequence 3 should be here"), "{error}");
    }

    async fn the_beginning_can_not_go_without_a_word(db: Db) {
        let (app, team, _) = sealed(db).await;
        sql(&app, "UPDATE audit_chains SET removed_sequence = 2, removed_hash =
            (SELECT hash FROM audit_records WHERE sequence = 2)").await;
        sql(&app, "DELETE FROM audit_records WHERE sequence <= 2").await;
        let error = verified(&again(&app, &team).await).unwrap_err();
        assert!(error.contains("records are missing before it"), "{error}");
    }

    async fn two_that_changed_places_are_found(db: Db) {
        let (app, team, _) = sealed(db).await;
        for statement in [
            "UPDATE audit_records SET sequence = 1000 WHERE sequence = 3",
            "UPDATE audit_records SET sequence = 3 WHERE sequence = 4",
            "UPDATE audit_records SET sequence = 4 WHERE sequence = 1000",
        ] {
            sql(&app, statement).await;
        }
        let error = verified(&again(&app, &team).await).unwrap_err();
        assert!(error.contains("sequence 3"), "{error}");
    }

    async fn a_tail_that_was_cut_off_shows_against_the_head(db: Db) {
        let (app, team, lines) = sealed(db).await;
        let head = chain(&app, &team).await;
        let cut = verified(&lines[..lines.len() - 1]).unwrap();
        assert_ne!(head.attribute("hash"), cut.hash.as_str());
        assert_eq!(head.attribute("hash"), verified(&lines).unwrap().hash.as_str());
        // Whoever makes the chain anew from some place on has other hashes from there on.
        sql(&app, "UPDATE audit_records SET sequence = NULL, hash = NULL, action = 'x.y'
            WHERE sequence = 6").await;
        sql(&app, "UPDATE audit_records SET sequence = NULL, hash = NULL WHERE sequence > 6").await;
        sql(&app, "UPDATE audit_chains SET sequence = 5, hash =
            (SELECT hash FROM audit_records WHERE sequence = 5)").await;
        let forged = export(&app, &team).await;
        let proof = verified(&forged).unwrap();
        assert_eq!(forged[..5], lines[..5]);
        let kept = head.attribute("hash");
        assert!(!forged.iter().any(|it| parsed(it)["hash"] == kept), "{proof:?}");
    }
}

/// Makes the row of a record what it was.
async fn put_back(app: &TestApp, original: &Value) {
    let mut tx = app.db.begin().await.unwrap();
    let text = |it: &Value| it.as_str().map(str::to_owned);
    let changed = tx
        .query(
            "UPDATE audit_records SET id = $1, account_id = $2, at = $3, actor_kind = $4,
                actor_id = $5, actor_name = $6, token_last_six = $7, action = $8, target_kind = $9,
                target_id = $10, environment_id = $11, workspace_id = $12, outcome = $13,
                source_address = $14, request_id = $15, detail = $16, before_digest = NULL,
                after_digest = NULL, sequence = 4, hash = $17
             WHERE id = $1 OR id = 'aud-1111111111111111'",
        )
        .bind(text(&original["id"]))
        .bind(text(&original["account"]))
        .bind(
            original["at"]
                .as_str()
                .unwrap()
                .parse::<crate::clock::Timestamp>()
                .unwrap(),
        )
        .bind(text(&original["actor"]["kind"]))
        .bind(text(&original["actor"]["id"]))
        .bind(text(&original["actor"]["name"]))
        .bind(text(&original["actor"]["token-last-six"]))
        .bind(text(&original["action"]))
        .bind(text(&original["target"]["type"]))
        .bind(text(&original["target"]["id"]))
        .bind(text(&original["environment"]))
        .bind(text(&original["workspace"]))
        .bind(text(&original["outcome"]))
        .bind(text(&original["source-address"]))
        .bind(text(&original["request-id"]))
        .bind(db::Json(original["detail"].clone()))
        .bind(text(&original["hash"]))
        .execute()
        .await
        .unwrap();
    assert_eq!(changed, 1);
    tx.commit().await.unwrap();
}
