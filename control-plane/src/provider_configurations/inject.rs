//! What a step gets of a configuration: environment variables, as each provider's documentation has
//! them, and files below one directory. Pure.
//!
//! Under an alias there is no environment variable, because a provider reads each name once. As in HCP
//! Terraform, the files of aliases are named by an input variable (`tfc_aws_dynamic_credentials` and
//! so on) which a configuration may declare; its provider block then takes them by alias.

use std::collections::BTreeMap;

use domain::Secret;
use domain::provider::{AccessMethod, Provider};
use serde_json::{Value, json};

use super::model::{Configuration, Secrets};

/// Stands for the directory of the files; the runner knows where it is.
pub const PLACE: &str = "${TERRANE_CREDENTIALS}";

/// A file below [`PLACE`].
#[derive(Debug, Clone)]
pub struct File {
    pub path: String,
    pub content: Secret,
}

/// What a step gets.
#[derive(Debug, Default)]
pub struct Provided {
    /// The later one of a name counts. Whether a value is secret, too.
    pub environment: Vec<(String, Secret, bool)>,
    pub files: Vec<File>,
    /// Texts that must not be seen in logs.
    pub secrets: Vec<Secret>,
    /// By provider, what the input variable says.
    dynamic: BTreeMap<&'static str, Dynamic>,
}

#[derive(Debug, Default)]
struct Dynamic {
    default: Option<Value>,
    aliases: BTreeMap<String, Value>,
}

impl Provided {
    /// Adds what a configuration gives, under an alias unless it is empty. `token` is the run's
    /// identity, for the method that needs one.
    pub(super) fn add(
        &mut self,
        configuration: &Configuration,
        secrets: &Secrets,
        token: Option<&Secret>,
        alias: &str,
    ) {
        self.secrets.extend(secrets.values().cloned());
        self.secrets.extend(token.cloned());
        let mut step = Step {
            all: self,
            it: configuration,
            secrets,
            token,
            alias,
        };
        match configuration.provider {
            Provider::Aws => step.aws(),
            Provider::Azure => step.azure(),
            Provider::Google => step.google(),
            Provider::Kubernetes => step.kubernetes(),
            Provider::Vault => step.vault(),
            Provider::Custom => step.custom(),
        }
    }

    /// Says what the input variables say.
    pub(super) fn finish(mut self) -> Self {
        for (name, dynamic) in std::mem::take(&mut self.dynamic) {
            let value = json!({ "default": dynamic.default, "aliases": dynamic.aliases });
            let key = format!("TF_VAR_{name}");
            self.environment
                .push((key, Secret::new(value.to_string()), false));
        }
        self
    }
}

/// One configuration on its way in.
struct Step<'a> {
    all: &'a mut Provided,
    it: &'a Configuration,
    secrets: &'a Secrets,
    token: Option<&'a Secret>,
    alias: &'a str,
}

impl Step<'_> {
    fn setting(&self, name: &str) -> Option<String> {
        self.it.settings.get(name).cloned()
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        self.secrets.get(name).cloned()
    }

    fn token(&self) -> Option<Secret> {
        self.token.cloned()
    }

    /// An environment variable, unless there is an alias.
    fn set(&mut self, key: &str, value: Option<String>) {
        if let Some(value) = value.filter(|_| self.alias.is_empty()) {
            let value = Secret::new(value);
            self.all.environment.push((key.to_owned(), value, false));
        }
    }

    fn set_secret(&mut self, key: &str, value: Option<Secret>) {
        if let Some(value) = value.filter(|_| self.alias.is_empty()) {
            self.all.environment.push((key.to_owned(), value, true));
        }
    }

    /// Writes a file; its path as the step sees it.
    fn file(&mut self, name: &str, content: Secret) -> String {
        let place = match self.alias {
            "" => format!("{}/{name}", self.it.provider),
            alias => format!("{}/aliases/{alias}/{name}", self.it.provider),
        };
        let path = format!("{PLACE}/{place}");
        let content = File {
            path: place,
            content,
        };
        self.all.files.push(content);
        path
    }

    fn dynamic(&mut self, variable: &'static str, value: Value) {
        let dynamic = self.all.dynamic.entry(variable).or_default();
        match self.alias {
            "" => dynamic.default = Some(value),
            alias => {
                dynamic.aliases.insert(alias.to_owned(), value);
            }
        }
    }

    /// The shared configuration file does for the provider itself and for aliases what the
    /// environment variables do for the provider itself.
    fn aws(&mut self) {
        let mut profile = vec!["[default]".to_owned()];
        let mut base = Vec::new();
        let region = self.setting("region");
        if let Some(region) = &region {
            profile.push(format!("region = {region}"));
        }
        self.set("AWS_REGION", region.clone());
        self.set("AWS_DEFAULT_REGION", region);
        let key = self.setting("access-key-id");
        let secret = self.secret("secret-access-key");
        let keys = |key: Option<String>, secret: Option<&Secret>, session: Option<&Secret>| {
            let mut lines = vec![
                format!("aws_access_key_id = {}", key.unwrap_or_default()),
                format!("aws_secret_access_key = {}", text(secret)),
            ];
            lines.extend(session.map(|it| format!("aws_session_token = {}", it.expose())));
            lines
        };
        match self.it.method {
            AccessMethod::Static => {
                let session = self.secret("session-token");
                profile.extend(keys(key.clone(), secret.as_ref(), session.as_ref()));
                self.set("AWS_ACCESS_KEY_ID", key);
                self.set_secret("AWS_SECRET_ACCESS_KEY", secret);
                self.set_secret("AWS_SESSION_TOKEN", session);
            }
            AccessMethod::AssumeRole => {
                base.push("[profile base]".to_owned());
                base.extend(keys(key, secret.as_ref(), None));
                profile.push("source_profile = base".to_owned());
                profile.push(format!(
                    "role_arn = {}",
                    self.setting("role-arn").unwrap_or_default()
                ));
                if let Some(id) = self.setting("external-id") {
                    profile.push(format!("external_id = {id}"));
                }
            }
            AccessMethod::Oidc => {
                let role = self.setting("role-arn");
                let token = self.token().unwrap_or_else(|| Secret::new(String::new()));
                let file = self.file("token", token);
                profile.push(format!("role_arn = {}", role.clone().unwrap_or_default()));
                profile.push(format!("web_identity_token_file = {file}"));
                self.set("AWS_ROLE_ARN", role);
                self.set("AWS_WEB_IDENTITY_TOKEN_FILE", Some(file));
                self.set("AWS_ROLE_SESSION_NAME", Some("terrane".to_owned()));
            }
        }
        base.extend(profile);
        let config = self.file("config", Secret::new(base.join("\n") + "\n"));
        if self.it.method == AccessMethod::AssumeRole {
            self.set("AWS_CONFIG_FILE", Some(config.clone()));
            self.set("AWS_SDK_LOAD_CONFIG", Some("1".to_owned()));
        }
        let value = json!({ "shared_config_file": config });
        self.dynamic("tfc_aws_dynamic_credentials", value);
    }

    fn azure(&mut self) {
        let client = self.setting("client-id");
        self.set("ARM_TENANT_ID", self.setting("tenant-id"));
        self.set("ARM_CLIENT_ID", client.clone());
        self.set("ARM_SUBSCRIPTION_ID", self.setting("subscription-id"));
        let client = self.file("client-id", Secret::new(client.unwrap_or_default()));
        let mut value = json!({ "client_id_file_path": client });
        match (self.it.method, self.token()) {
            (AccessMethod::Oidc, Some(token)) => {
                let file = self.file("token", token);
                self.set("ARM_USE_OIDC", Some("true".to_owned()));
                self.set("ARM_OIDC_TOKEN_FILE_PATH", Some(file.clone()));
                value["oidc_token_file_path"] = json!(file);
            }
            _ => {
                let secret = self.secret("client-secret");
                self.set_secret("ARM_CLIENT_SECRET", secret.clone());
                if let Some(secret) = secret {
                    value["client_secret_file_path"] = json!(self.file("client-secret", secret));
                }
            }
        }
        self.dynamic("tfc_azure_dynamic_credentials", value);
    }

    fn google(&mut self) {
        self.set("GOOGLE_PROJECT", self.setting("project"));
        self.set("GOOGLE_REGION", self.setting("region"));
        let credentials = match (self.it.method, self.token()) {
            (AccessMethod::Oidc, Some(token)) => {
                let file = self.file("token", token);
                self.external_account(&file)
            }
            _ => {
                let key = self.secret("credentials");
                let key = key.unwrap_or_else(|| Secret::new(String::new()));
                self.all.secrets.extend(inner_secrets(key.expose()));
                key
            }
        };
        let file = self.file("credentials.json", credentials);
        self.set("GOOGLE_CREDENTIALS", Some(file.clone()));
        self.set("GOOGLE_APPLICATION_CREDENTIALS", Some(file.clone()));
        let value = json!({ "credentials": file });
        self.dynamic("tfc_gcp_dynamic_credentials", value);
    }

    /// The form that Google's libraries read for workload identity federation.
    fn external_account(&self, token_file: &str) -> Secret {
        let provider = self.setting("workload-provider").unwrap_or_default();
        let mut document = json!({
            "type": "external_account",
            "audience": format!("//iam.googleapis.com/{provider}"),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": { "file": token_file },
        });
        if let Some(account) = self.setting("service-account") {
            document["service_account_impersonation_url"] = json!(format!(
                "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}\
                 :generateAccessToken"
            ));
        }
        Secret::new(document.to_string())
    }

    fn kubernetes(&mut self) {
        self.set("KUBE_HOST", self.setting("host"));
        let authority = self.setting("cluster-ca-certificate");
        self.set("KUBE_CLUSTER_CA_CERT_DATA", authority);
        let token = self.token().or_else(|| self.secret("token"));
        self.set_secret("KUBE_TOKEN", token.clone());
        if let Some(token) = token {
            let value = json!({ "token_path": self.file("token", token) });
            self.dynamic("tfc_kubernetes_dynamic_credentials", value);
        }
    }

    fn vault(&mut self) {
        let (address, namespace) = (self.setting("address"), self.setting("namespace"));
        self.set("VAULT_ADDR", address.clone());
        self.set("VAULT_NAMESPACE", namespace.clone());
        match (self.it.method, self.token()) {
            // Read by the provider's `auth_login_jwt` block, which names role and mount.
            (AccessMethod::Oidc, token) => self.set_secret("TERRAFORM_VAULT_AUTH_JWT", token),
            _ => {
                let token = self.secret("token");
                self.set_secret("VAULT_TOKEN", token.clone());
                if let Some(token) = token {
                    let file = self.file("token", token);
                    let value = json!({ "token_filename": file, "address": address,
                        "namespace": namespace });
                    self.dynamic("tfc_vault_dynamic_credentials", value);
                }
            }
        }
    }

    fn custom(&mut self) {
        for (key, value) in self.it.settings.clone() {
            self.set(&key, Some(value));
        }
        for (key, value) in self.secrets.clone() {
            self.set_secret(&key, Some(value));
        }
    }
}

fn text(secret: Option<&Secret>) -> String {
    secret.map(|it| it.expose().clone()).unwrap_or_default()
}

/// What is secret inside a key file: the log of a provider may show a part of it.
fn inner_secrets(key_file: &str) -> Vec<Secret> {
    let read: Option<Value> = serde_json::from_str(key_file).ok();
    let key = read.and_then(|it| it["private_key"].as_str().map(str::to_owned));
    let lines = key.iter().flat_map(|key| key.lines()).filter(|line| {
        let frame = line.starts_with("-----");
        !frame && line.len() > 16
    });
    lines.map(|line| Secret::new(line.to_owned())).collect()
}
