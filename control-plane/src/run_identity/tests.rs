//! Issuers, tokens and keys on both databases.

use chrono::TimeDelta;
use db::Db;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Value, json};
use testkit::both_databases;

use super::claims::tests::facts;
use super::{ensure_key, issue, rotate_due};
use crate::schema::MIGRATOR;
use crate::testing::{Team, TestApp};

async fn token(app: &TestApp, team: &Team, audience: &str) -> String {
    ensure_key(app, &team.tenant).await.unwrap();
    let mut conn = app.db.acquire().await.unwrap();
    let issued = issue(app, &mut conn, &team.tenant, &facts("default"), audience).await;
    issued.unwrap().expose().clone()
}

/// What somebody who verifies does: discovery, keys, signature, audience, issuer.
async fn verified(app: &TestApp, team: &Team, token: &str, audience: &str) -> Option<Value> {
    let issuer = format!("/identity/{}", team.tenant.account());
    let path = format!("{issuer}/.well-known/openid-configuration");
    let discovery = app.get(path).await.expect(200).json();
    assert_eq!(discovery["issuer"], format!("https://terrane.test{issuer}"));
    let keys = discovery["jwks_uri"].as_str().unwrap().to_owned();
    let path = keys.strip_prefix("https://terrane.test").unwrap();
    let keys: JwkSet = serde_json::from_value(app.get(path).await.expect(200).json()).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(header.alg, Algorithm::RS256);
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap())?).unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[audience]);
    rules.set_issuer(&[discovery["issuer"].as_str().unwrap()]);
    // The clock of these tests is ours.
    rules.validate_exp = false;
    let read = jsonwebtoken::decode::<Value>(token, &key, &rules).ok()?;
    Some(read.claims)
}

async fn key_ids(app: &TestApp, team: &Team) -> Vec<String> {
    let list = app
        .get("/api/v2/account/identity-keys")
        .by(&team.reader)
        .await
        .expect(200)
        .data();
    let ids = list.as_array().unwrap().iter();
    ids.map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

both_databases! { MIGRATOR;
    async fn a_cloud_that_trusts_the_issuer_can_verify_a_run(db: Db) {
        let app = TestApp::at(db, "2026-05-01T00:00:00Z");
        let team = app.team().await;
        let token = token(&app, &team, "aws.workload.identity").await;
        let claims = verified(&app, &team, &token, "aws.workload.identity").await.unwrap();
        assert_eq!(
            claims["sub"],
            "account:acme:organization:prod:project:default:workspace:net:run_phase:apply"
        );
        assert_eq!(claims["terraform_run_phase"], "apply");
        assert_eq!(claims["terrane_job_epoch"], 3);
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(life, 24 * 3600);
        // For another audience it is nothing.
        assert_eq!(verified(&app, &team, &token, "vault.workload.identity").await, None);
    }

    async fn equal_names_in_another_account_never_verify(db: Db) {
        let app = TestApp::at(db, "2026-05-01T00:00:00Z");
        let (mine, theirs) = (app.team().await, app.team().await);
        let token_of_theirs = token(&app, &theirs, "aws").await;
        token(&app, &mine, "aws").await;
        // The same subject, but another issuer with other keys.
        assert_eq!(verified(&app, &mine, &token_of_theirs, "aws").await, None);
        assert!(verified(&app, &theirs, &token_of_theirs, "aws").await.is_some());
    }

    async fn keys_are_published_before_they_sign_and_after(db: Db) {
        let app = TestApp::at(db, "2026-05-01T00:00:00Z");
        let team = app.team().await;
        let first = token(&app, &team, "aws").await;
        rotate_due(&app).await.unwrap();
        assert_eq!(key_ids(&app, &team).await.len(), 1);
        app.advance(TimeDelta::days(88));
        rotate_due(&app).await.unwrap();
        rotate_due(&app).await.unwrap();
        let both = key_ids(&app, &team).await;
        assert_eq!(both.len(), 2, "the successor is published, once");
        let key_of = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        let still = token(&app, &team, "aws").await;
        assert_eq!(key_of(&still), key_of(&first));
        app.advance(TimeDelta::days(2));
        rotate_due(&app).await.unwrap();
        let next = token(&app, &team, "aws").await;
        assert_ne!(key_of(&next), key_of(&first));
        assert!(verified(&app, &team, &still, "aws").await.is_some(), "it was signed just before");
        app.advance(TimeDelta::days(3));
        rotate_due(&app).await.unwrap();
        assert_eq!(key_ids(&app, &team).await, [key_of(&next)]);
        assert_eq!(verified(&app, &team, &still, "aws").await, None);
        assert!(verified(&app, &team, &next, "aws").await.is_some());
    }

    async fn a_key_in_wrong_hands_is_replaced_at_once(db: Db) {
        let app = TestApp::at(db, "2026-05-01T00:00:00Z");
        let team = app.team().await;
        let stolen = token(&app, &team, "aws").await;
        let path = "/api/v2/account/identity-keys";
        app.post(path).by(&team.reader).await.expect(403);
        app.post(path).by(&team.admin).await.expect(201);
        assert_eq!(verified(&app, &team, &stolen, "aws").await, None);
        let fresh = token(&app, &team, "aws").await;
        assert!(verified(&app, &team, &fresh, "aws").await.is_some());
    }

    async fn no_private_key_is_stored_in_clear(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        token(&app, &team, "aws").await;
        let mut conn = app.db.acquire().await.unwrap();
        let rows: Vec<(Vec<u8>,)> =
            conn.query("SELECT sealed_key FROM identity_keys").fetch_all().await.unwrap();
        for (sealed,) in rows {
            use rsa::pkcs1::DecodeRsaPrivateKey as _;
            assert!(rsa::PrivateKey::from_pkcs1_der(&sealed).is_err());
        }
        let nobody = format!("/identity/{}/jwks", domain::ids::AccountId::random());
        assert_eq!(app.get(nobody).await.expect(200).json(), json!({ "keys": [] }));
        app.get("/identity/nobody/jwks").await.expect(404);
    }
}
