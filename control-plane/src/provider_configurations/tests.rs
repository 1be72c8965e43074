//! The slice on both databases, through its routes and what runs get of it.

use std::collections::BTreeMap;

use db::Db;
use serde_json::{Value, json};
use testkit::both_databases;

use super::{Beneficiary, Provided, provide};
use crate::run_identity::{Named, Phase, RunFacts};
use crate::schema::MIGRATOR;
use crate::testing::{Answer, Team, TestApp};

const PATH: &str = "/api/v2/provider-configurations";

async fn create(app: &TestApp, team: &Team, attributes: Value) -> Answer {
    app.post(PATH)
        .by(&team.admin)
        .attributes("provider-configurations", attributes)
        .await
}

fn keys(name: &str) -> Value {
    json!({ "name": name, "provider": "aws", "is-shared": true,
        "settings": { "access-key-id": format!("AKIA{name}"), "region": "eu-central-1" },
        "secrets": { "secret-access-key": format!("secret-of-{name}") } })
}

async fn link(app: &TestApp, team: &Team, configuration: &str, alias: &str) -> Answer {
    let path = format!(
        "/api/v2/workspaces/{}/provider-configuration-links",
        team.workspace.id
    );
    app.post(path)
        .by(&team.admin)
        .json(&json!({ "data": { "type": "provider-configuration-links",
            "attributes": { "alias": alias },
            "relationships": { "provider-configuration": { "data": {
                "type": "provider-configurations", "id": configuration } } } } }))
        .await
}

async fn given(app: &TestApp, team: &Team, phase: Phase) -> Provided {
    let named = |name: &str| Named {
        id: name.to_owned(),
        name: name.to_owned(),
    };
    let facts = RunFacts {
        account: named("a"),
        environment: named("e"),
        project: named("p"),
        workspace: named("w"),
        run: "run-1".to_owned(),
        job: "job-1".to_owned(),
        epoch: 1,
        phase,
    };
    let of = Beneficiary {
        environment: &team.environment.id,
        workspace: &team.workspace.id,
    };
    let mut conn = app.db.acquire().await.unwrap();
    provide(app, &mut conn, &team.tenant, of, &facts)
        .await
        .unwrap()
}

fn environment(provided: &Provided) -> BTreeMap<String, String> {
    let variables = provided.environment.iter();
    variables
        .map(|(key, value, _)| (key.clone(), value.expose().clone()))
        .collect()
}

fn file(provided: &Provided, path: &str) -> String {
    let file = provided.files.iter().find(|it| it.path == path);
    file.unwrap_or_else(|| panic!("no file {path}"))
        .content
        .expose()
        .clone()
}

both_databases! { MIGRATOR;
    async fn a_default_one_reaches_every_run_and_nobody_else(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let mut attributes = keys("main");
        attributes["is-default"] = json!(true);
        let made = create(&app, &team, attributes).await.expect(201);
        assert_eq!(made.attribute("secret-names"), json!(["secret-access-key"]));
        let path = format!("{PATH}/{}", made.id());
        for answer in [&made, &app.get(&path).by(&team.admin).await.expect(200),
            &app.get(PATH).by(&team.reader).await.expect(200)] {
            assert!(!answer.text().contains("secret-of"), "{}", answer.text());
        }
        let provided = given(&app, &team, Phase::Plan).await;
        let env = environment(&provided);
        assert_eq!(env["AWS_ACCESS_KEY_ID"], "AKIAmain");
        assert_eq!(env["AWS_SECRET_ACCESS_KEY"], "secret-of-main");
        assert_eq!(env["AWS_REGION"], "eu-central-1");
        assert!(provided.secrets.iter().any(|it| it.expose() == "secret-of-main"));
        let stranger = app.team().await;
        app.get(&path).by(&stranger.admin).await.expect(404);
        assert!(environment(&given(&app, &stranger, Phase::Plan).await).is_empty());
        let mut conn = app.db.acquire().await.unwrap();
        let (sealed,): (Vec<u8>,) = conn.query("SELECT sealed_secrets FROM provider_configurations")
            .fetch_optional().await.unwrap().unwrap();
        assert!(!sealed.windows(9).any(|it| it == b"secret-of"));
    }

    async fn aliases_come_as_files_that_an_input_variable_names(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let main = create(&app, &team, keys("main")).await.expect(201).id();
        let west = create(&app, &team, keys("west")).await.expect(201).id();
        link(&app, &team, &main, "").await.expect(201);
        link(&app, &team, &west, "west").await.expect(201);
        assert_eq!(link(&app, &team, &west, "west").await.expect(409).code(),
            "provider-configurations.already-linked");
        let refused = link(&app, &team, &west, "a b").await.expect(422);
        assert_eq!(refused.pointer(), "/data/attributes/alias");
        let provided = given(&app, &team, Phase::Apply).await;
        let env = environment(&provided);
        assert_eq!(env["AWS_ACCESS_KEY_ID"], "AKIAmain");
        let named: Value = serde_json::from_str(&env["TF_VAR_tfc_aws_dynamic_credentials"]).unwrap();
        let place = "${TERRANE_CREDENTIALS}/aws";
        assert_eq!(named, json!({
            "default": { "shared_config_file": format!("{place}/config") },
            "aliases": { "west": { "shared_config_file": format!("{place}/aliases/west/config") } },
        }));
        let config = file(&provided, "aws/aliases/west/config");
        assert_eq!(config, "[default]\nregion = eu-central-1\naws_access_key_id = AKIAwest\n\
            aws_secret_access_key = secret-of-west\n");
    }

    async fn an_identity_is_made_for_its_audience_and_phase(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for (name, provider, settings) in [
            ("a", "aws", json!({ "role-arn": "arn:aws:iam::1:role/terrane" })),
            ("b", "azurerm", json!({ "tenant-id": "t", "client-id": "c" })),
            ("c", "google", json!({ "workload-provider": "projects/1/providers/p",
                "service-account": "sa@p.iam.gserviceaccount.com" })),
            ("d", "kubernetes", json!({ "host": "https://k8s", "audience": "mine" })),
            ("e", "vault", json!({ "address": "https://vault" })),
        ] {
            create(&app, &team, json!({ "name": name, "provider": provider, "method": "oidc",
                "settings": settings, "is-default": true, "is-shared": true })).await.expect(201);
        }
        let provided = given(&app, &team, Phase::Plan).await;
        let env = environment(&provided);
        assert_eq!(env["AWS_ROLE_ARN"], "arn:aws:iam::1:role/terrane");
        assert_eq!(env["AWS_WEB_IDENTITY_TOKEN_FILE"], "${TERRANE_CREDENTIALS}/aws/token");
        assert_eq!(env["ARM_OIDC_TOKEN_FILE_PATH"], "${TERRANE_CREDENTIALS}/azurerm/token");
        let account: Value = serde_json::from_str(&file(&provided, "google/credentials.json")).unwrap();
        assert_eq!(account["audience"], "//iam.googleapis.com/projects/1/providers/p");
        assert!(!account["service_account_impersonation_url"].as_str().unwrap().contains(' '));
        for (token, audience) in [
            (file(&provided, "aws/token"), "aws.workload.identity"),
            (file(&provided, "azurerm/token"), "api://AzureADTokenExchange"),
            (file(&provided, "google/token"), "https://iam.googleapis.com/projects/1/providers/p"),
            (env["KUBE_TOKEN"].clone(), "mine"),
            (env["TERRAFORM_VAULT_AUTH_JWT"].clone(), "vault.workload.identity"),
        ] {
            let claims: Value = jsonwebtoken::dangerous::insecure_decode(&token).unwrap().claims;
            assert_eq!(claims["aud"], audience);
            assert_eq!(claims["terraform_run_phase"], "plan");
            assert!(provided.secrets.iter().any(|it| *it.expose() == token));
        }
    }

    async fn only_environments_that_it_is_shared_with_may_use_it(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let mut attributes = keys("narrow");
        attributes["is-shared"] = json!(false);
        let id = create(&app, &team, attributes).await.expect(201).id();
        assert_eq!(link(&app, &team, &id, "").await.expect(422).code(),
            "provider-configurations.invalid");
        let path = format!("{PATH}/{id}");
        let share = json!({ "data": { "type": "provider-configurations", "relationships": {
            "environments": { "data": [{ "type": "environments", "id": team.environment.id }] } } } });
        app.patch(&path).by(&team.admin).json(&share).await.expect(200);
        let link_id = link(&app, &team, &id, "").await.expect(201).id();
        let uses = app.get(format!("{path}/links")).by(&team.reader).await.expect(200);
        assert_eq!(uses.data()[0]["attributes"]["workspace-name"], json!(team.workspace.name));
        let used = app.delete(&path).by(&team.admin).await.expect(409);
        assert!(used.text().contains(&team.workspace.name), "{}", used.text());
        assert!(environment(&given(&app, &team, Phase::Plan).await)
            .contains_key("AWS_ACCESS_KEY_ID"));
        // Sharing that ends takes the access away, whatever is linked.
        let unshare = json!({ "data": { "type": "provider-configurations", "relationships": {
            "environments": { "data": [] } } } });
        app.patch(&path).by(&team.admin).json(&unshare).await.expect(200);
        assert!(environment(&given(&app, &team, Phase::Plan).await).is_empty());
        let path_of_link = format!("/api/v2/provider-configuration-links/{link_id}");
        app.delete(path_of_link).by(&team.admin).await.expect(204);
        app.delete(&path).by(&team.admin).await.expect(204);
    }

    async fn bad_input_is_refused_by_name(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        for (attributes, place) in [
            (json!({ "provider": "aws" }), "name"),
            (json!({ "name": "a" }), "provider"),
            (json!({ "name": "a", "provider": "gcp" }), "provider"),
            (json!({ "name": "a b", "provider": "aws" }), "name"),
            (json!({ "name": "a", "provider": "azurerm", "method": "assume-role" }), "method"),
            (json!({ "name": "a", "provider": "aws" }), "settings/access-key-id"),
            (json!({ "name": "a", "provider": "aws", "settings": { "access-key-id": "x" } }),
                "secrets/secret-access-key"),
            (json!({ "name": "a", "provider": "aws", "method": "oidc",
                "settings": { "role-arn": "x", "role": "y" } }), "settings/role"),
            (json!({ "name": "a", "provider": "aws", "method": "oidc",
                "settings": { "role-arn": "x" }, "secrets": { "key": "y" } }), "secrets/key"),
            (json!({ "name": "a", "provider": "custom", "settings": { "A-B": "x" } }),
                "settings/A-B"),
            (json!({ "name": "a", "provider": "custom", "settings": { "A": "" } }), "settings/A"),
        ] {
            let refused = create(&app, &team, attributes.clone()).await.expect(422);
            assert_eq!(refused.pointer(), format!("/data/attributes/{place}"), "{attributes}");
        }
        create(&app, &team, keys("a")).await.expect(201);
        assert_eq!(create(&app, &team, keys("a")).await.expect(422).code(),
            "provider-configurations.name-taken");
    }

    async fn secrets_are_replaced_one_by_one(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let made = create(&app, &team, json!({ "name": "own", "provider": "custom",
            "is-default": true, "is-shared": true, "apply-only": true,
            "settings": { "API_URL": "https://api" },
            "secrets": { "API_TOKEN": "one", "API_KEY": "two" } })).await.expect(201);
        assert!(environment(&given(&app, &team, Phase::Plan).await).is_empty());
        let path = format!("{PATH}/{}", made.id());
        let changed = app.patch(&path).by(&team.admin).attributes("provider-configurations",
            json!({ "secrets": { "API_TOKEN": "three", "API_KEY": null } })).await.expect(200);
        assert_eq!(changed.attribute("secret-names"), json!(["API_TOKEN"]));
        let env = environment(&given(&app, &team, Phase::Apply).await);
        let expected = [("API_TOKEN", "three"), ("API_URL", "https://api")];
        assert_eq!(env, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }
}
