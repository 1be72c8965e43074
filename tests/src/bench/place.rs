//! What benchmarks make on a server before they measure: pools, workspaces, configurations.

use serde_json::{Value, json};

use crate::{Api, Dev, Options};

/// A server with one runner, which executes processes. terraform's built-in provider is enough.
pub(super) fn options() -> Options {
    Options {
        provider: false,
        ..Options::default()
    }
}

/// A server without a runner of its own.
pub(super) fn alone() -> Options {
    Options {
        runners: 0,
        ..options()
    }
}

/// The smallest configuration that a run does something with.
pub(super) const SMALL: &str = "resource \"terraform_data\" \"a\" {}\n";

/// A pool of its own for simulated runners, so that jobs for real ones don't go there.
pub(super) struct Pool {
    id: String,
    /// What its runners join with.
    pub(super) token: String,
}

impl Pool {
    pub(super) async fn make(dev: &Dev, api: &Api) -> Self {
        let environment = &dev.facts.environment;
        let body = json!({"data": {"type": "agent-pools", "attributes": {"name": "fleet"}}});
        let path = format!("organizations/{environment}/agent-pools");
        let id = api.post(&path, body).await.expect(200).id();
        let body = json!({"data": {"type": "authentication-tokens", "attributes": {}}});
        let path = format!("agent-pools/{id}/authentication-tokens");
        let made = api.post(&path, body).await.expect(201);
        let token = made.attribute("token").as_str().unwrap().to_owned();
        Self { id, token }
    }

    /// Settings of a workspace that is bound to it.
    pub(super) fn binding(&self) -> Value {
        json!({"execution-mode": "agent", "agent-pool-id": self.id})
    }
}

/// A workspace with an uploaded configuration.
pub(super) struct Stage {
    pub(super) api: Api,
    pub(super) workspace: String,
    pub(super) version: String,
}

impl Stage {
    pub(super) async fn make(dev: &Dev, name: &str, settings: Value, main: &str) -> Self {
        let api = dev.api();
        let mut settings = settings;
        settings["name"] = json!(name);
        let made = api.create_workspace(&dev.facts.environment, settings).await;
        let workspace = made.expect(201).id();
        let unqueued = json!({"auto-queue-runs": false});
        let version = api.upload(&workspace, &[("main.tf", main)], unqueued).await;
        Self {
            api,
            workspace,
            version,
        }
    }

    /// Starts a run of the configuration.
    pub(super) async fn run(&self, attributes: Value) -> String {
        self.api
            .run(&self.workspace, &self.version, attributes)
            .await
    }

    pub(super) async fn dry_run(&self) -> String {
        self.run(json!({"plan-only": true})).await
    }
}
