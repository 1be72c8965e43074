//! Every place that takes or makes a secret. A new one is a row more in [`ROWS`], or, where the
//! server makes the value itself, in [`MADE`].

use serde_json::{Value, json};
use tests::Api;

/// A value that lies somewhere.
#[derive(Debug, Clone)]
pub(super) struct Planted {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// Parts of the names of places where it must be.
    pub(super) may_be: &'static [&'static str],
}

impl Planted {
    /// The whole value, and the part of it that no escaping changes.
    pub(super) fn needles(&self) -> Vec<&str> {
        let core = self
            .value
            .split(|c: char| !c.is_ascii_alphanumeric())
            .max_by_key(|it| it.len())
            .unwrap_or_default();
        vec![self.value.as_str(), core]
    }
}

/// A random value that every escaping changes.
pub(super) fn value(name: &str) -> String {
    let random: String = (0..12)
        .map(|_| char::from(b'a' + rand::random::<u8>() % 26))
        .collect();
    format!("{name} \"&<%/+é {random}0Q9z")
}

/// As [`value`], for what stands in a header or a URL's user information.
fn plain_value(name: &str) -> String {
    let core = value(name);
    format!("{name}-{}", core.rsplit(' ').next().unwrap_or_default())
}

/// A request that plants one value.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// With `{workspace}`, `{environment}` and `{group}`.
    pub(super) path: &'static str,
    pub(super) plain: bool,
    pub(super) body: fn(&str, &Scene) -> Value,
    pub(super) may_be: &'static [&'static str],
}

/// What the requests speak of.
pub(super) struct Scene {
    pub(super) environment: String,
    pub(super) workspace: String,
    pub(super) group: String,
    /// Of a server that takes and gives whatever is asked of it.
    pub(super) outside: String,
}

fn object(kind: &str, attributes: Value) -> Value {
    json!({ "data": { "type": kind, "attributes": attributes } })
}

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "sensitive variable",
        path: "workspaces/{workspace}/vars",
        plain: false,
        body: |value, _| {
            object(
                "vars",
                json!({ "key": "planted", "value": value, "category": "terraform",
                    "sensitive": true }),
            )
        },
        // Who may read the JSON plan reads it as terraform made it.
        may_be: &["plans/{plan_id}/json-output"],
    },
    Row {
        name: "sensitive environment variable",
        path: "workspaces/{workspace}/vars",
        plain: false,
        body: |value, _| {
            object(
                "vars",
                json!({ "key": "PLANTED", "value": value, "category": "env", "sensitive": true }),
            )
        },
        may_be: &[],
    },
    Row {
        name: "secret of a provider configuration",
        path: "provider-configurations",
        plain: false,
        body: |value, _| {
            object(
                "provider-configurations",
                json!({ "name": "planted", "provider": "custom", "is-default": true,
                    "is-shared": true, "secrets": { "PLANTED_ACCESS": value } }),
            )
        },
        may_be: &[],
    },
    Row {
        name: "variable that is shown",
        path: "workspaces/{workspace}/vars",
        plain: false,
        body: |value, _| {
            object(
                "vars",
                json!({ "key": "SHOWN", "value": value, "category": "env" }),
            )
        },
        // Its value is for people to see; in rows it is sealed as any other.
        may_be: &["answer to"],
    },
    Row {
        name: "git token of a workspace",
        path: "organizations/{environment}/workspaces",
        plain: true,
        body: |value, scene| {
            let git = json!({ "url": format!("{}/none.git", scene.outside), "username": "bot",
                "reference": "main", "token": value });
            object("workspaces", json!({ "name": "from-git", "git": git }))
        },
        may_be: &[],
    },
    Row {
        name: "git token of a policy group",
        path: "policy-groups",
        plain: true,
        body: |value, scene| {
            let git = json!({ "url": format!("{}/none.git", scene.outside), "username": "bot",
                "reference": "main", "token": value });
            object("policy-groups", json!({ "name": "from-git", "git": git }))
        },
        may_be: &[],
    },
    Row {
        name: "sensitive policy parameter",
        path: "policy-sets/{group}/parameters",
        plain: false,
        body: |value, _| {
            object(
                "vars",
                json!({ "key": "planted", "value": value, "category": "policy-set",
                    "sensitive": true }),
            )
        },
        may_be: &[],
    },
    Row {
        name: "token of a data document",
        path: "policy-data-documents",
        plain: true,
        body: |value, scene| {
            let source = json!({ "url": format!("{}/document", scene.outside), "token": value });
            object(
                "policy-data-documents",
                json!({ "name": "planted", "source": source }),
            )
        },
        may_be: &[],
    },
    Row {
        name: "secret of a webhook",
        path: "audit-streams",
        plain: false,
        body: |value, scene| {
            object(
                "audit-streams",
                json!({ "name": "hook", "kind": "webhook", "secret": value, "from": "beginning",
                    "url": format!("{}/hook", scene.outside) }),
            )
        },
        may_be: &[],
    },
    Row {
        name: "secret key of a bucket",
        path: "audit-streams",
        plain: false,
        body: |value, scene| {
            object(
                "audit-streams",
                json!({ "name": "bucket", "kind": "s3", "secret": value, "from": "beginning",
                    "bucket": "log", "region": "us-east-1", "access-key-id": "AKIA0123456789",
                    "endpoint": scene.outside }),
            )
        },
        may_be: &[],
    },
    Row {
        name: "client secret of an identity provider",
        path: "identity-providers",
        plain: false,
        body: |value, _| {
            let oidc = json!({ "issuer": "https://idp.invalid", "client-id": "terrane",
                "client-secret": value });
            object(
                "identity-providers",
                json!({ "name": "planted", "kind": "oidc", "oidc": oidc }),
            )
        },
        may_be: &[],
    },
    Row {
        name: "password of a user",
        path: "organizations/{environment}/organization-memberships",
        plain: false,
        body: |value, _| {
            object(
                "organization-memberships",
                json!({ "email": "planted@terrane.test", "password": value }),
            )
        },
        may_be: &[],
    },
];

/// Requests whose answer, this once, has a secret that the server has made.
pub(super) const MADE: &[(&str, &str, &str, &str)] = &[
    (
        "API token",
        "users/{user}/authentication-tokens",
        "authentication-tokens",
        "token",
    ),
    (
        "join token of a pool",
        "agent-pools/{pool}/authentication-tokens",
        "authentication-tokens",
        "token",
    ),
];

impl Row {
    /// Plants a value.
    pub(super) async fn plant(&self, api: &Api, scene: &Scene) -> Planted {
        let value = if self.plain {
            plain_value("planted")
        } else {
            value("planted")
        };
        let path = self
            .path
            .replace("{workspace}", &scene.workspace)
            .replace("{environment}", &scene.environment)
            .replace("{group}", &scene.group);
        let body = (self.body)(&value, scene);
        let answer = api.post(&path, body).await;
        assert!(answer.status < 300, "{}: {:?}", self.name, answer.json);
        Planted {
            name: self.name,
            value,
            may_be: self.may_be,
        }
    }
}

/// Has the server make its secrets; `known` are values of parameters in the paths.
pub(super) async fn made(api: &Api, known: &[(&str, String)]) -> Vec<Planted> {
    let mut planted = Vec::new();
    for (name, path, kind, attribute) in MADE {
        let mut path = (*path).to_owned();
        for (key, value) in known {
            path = path.replace(&format!("{{{key}}}"), value);
        }
        let body = object(kind, json!({ "description": "planted" }));
        let answer = api.post(&path, body).await;
        assert!(answer.status < 300, "{name}: {:?}", answer.json);
        planted.push(Planted {
            name,
            value: answer.attribute(attribute).as_str().unwrap().to_owned(),
            may_be: &[],
        });
    }
    planted
}
