//! Which settings and secrets each kind of access has. What isn't listed is refused: a setting that
//! nobody reads would be believed to work.

use std::collections::BTreeMap;

use domain::Secret;
use domain::provider::{AccessMethod, Provider};

use super::error::ConfigurationError;

/// What a kind of access is made of.
#[derive(Debug)]
pub(super) struct Kind {
    pub required: &'static [&'static str],
    pub optional: &'static [&'static str],
    pub required_secrets: &'static [&'static str],
    pub optional_secrets: &'static [&'static str],
}

const fn kind(
    required: &'static [&'static str],
    optional: &'static [&'static str],
    required_secrets: &'static [&'static str],
    optional_secrets: &'static [&'static str],
) -> Kind {
    Kind {
        required,
        optional,
        required_secrets,
        optional_secrets,
    }
}

/// `None` for a method that the provider doesn't have, and for custom ones, whose names are free.
pub(super) fn of(provider: Provider, method: AccessMethod) -> Option<Kind> {
    use AccessMethod::{AssumeRole, Oidc, Static};
    Some(match (provider, method) {
        (Provider::Aws, Static) => kind(
            &["access-key-id"],
            &["region"],
            &["secret-access-key"],
            &["session-token"],
        ),
        (Provider::Aws, AssumeRole) => kind(
            &["access-key-id", "role-arn"],
            &["region", "external-id"],
            &["secret-access-key"],
            &[],
        ),
        (Provider::Aws, Oidc) => kind(&["role-arn"], &["region", "audience"], &[], &[]),
        (Provider::Azure, Static) => kind(
            &["tenant-id", "client-id"],
            &["subscription-id"],
            &["client-secret"],
            &[],
        ),
        (Provider::Azure, Oidc) => kind(
            &["tenant-id", "client-id"],
            &["subscription-id", "audience"],
            &[],
            &[],
        ),
        (Provider::Google, Static) => kind(&[], &["project", "region"], &["credentials"], &[]),
        (Provider::Google, Oidc) => kind(
            &["workload-provider"],
            &["service-account", "project", "region", "audience"],
            &[],
            &[],
        ),
        (Provider::Kubernetes, Static) => {
            kind(&["host"], &["cluster-ca-certificate"], &["token"], &[])
        }
        (Provider::Kubernetes, Oidc) => {
            kind(&["host"], &["cluster-ca-certificate", "audience"], &[], &[])
        }
        (Provider::Vault, Static) => kind(&["address"], &["namespace"], &["token"], &[]),
        (Provider::Vault, Oidc) => kind(&["address"], &["namespace", "audience"], &[], &[]),
        (
            Provider::Azure | Provider::Google | Provider::Kubernetes | Provider::Vault,
            AssumeRole,
        )
        | (Provider::Custom, _) => return None,
    })
}

/// How long names and values may be, in bytes, and how many a custom configuration may have.
const MAX_VALUE: usize = 64 * 1024;
const MAX_CUSTOM: usize = 50;

/// # Errors
/// [`ConfigurationError::Invalid`], naming the setting and what there is.
pub(super) fn check(
    provider: Provider,
    method: AccessMethod,
    settings: &BTreeMap<String, String>,
    secrets: &BTreeMap<String, Secret>,
) -> Result<(), ConfigurationError> {
    for (name, value) in settings {
        check_text("settings", name, value)?;
    }
    for (name, value) in secrets {
        check_text("secrets", name, value.expose())?;
    }
    if provider == Provider::Custom {
        return check_custom(method, settings, secrets);
    }
    let Some(kind) = of(provider, method) else {
        return Err(ConfigurationError::invalid(
            "method",
            format!("{provider} has no method {method}; use `static` or `oidc`"),
        ));
    };
    let settings: Vec<&str> = settings.keys().map(String::as_str).collect();
    check_names("settings", &settings, kind.required, kind.optional)?;
    let secrets: Vec<&str> = secrets.keys().map(String::as_str).collect();
    check_names(
        "secrets",
        &secrets,
        kind.required_secrets,
        kind.optional_secrets,
    )
}

fn check_text(field: &str, name: &str, value: &str) -> Result<(), ConfigurationError> {
    let place = format!("{field}/{name}");
    if value.is_empty() {
        return Err(ConfigurationError::invalid(
            &place,
            "it is empty; give a value, or leave it out",
        ));
    }
    if value.len() > MAX_VALUE || value.contains('\0') {
        return Err(ConfigurationError::invalid(
            &place,
            "use at most 64 KiB of text without zero bytes",
        ));
    }
    Ok(())
}

fn check_names(
    field: &str,
    given: &[&str],
    required: &[&str],
    optional: &[&str],
) -> Result<(), ConfigurationError> {
    let known = || [required, optional].concat().join(", ");
    if let Some(missing) = required.iter().find(|name| !given.contains(name)) {
        return Err(ConfigurationError::invalid(
            &format!("{field}/{missing}"),
            format!("it is needed; {field} are: {}", known()),
        ));
    }
    let unknown = given
        .iter()
        .find(|name| !required.contains(name) && !optional.contains(name));
    match unknown {
        Some(unknown) if known().is_empty() => Err(ConfigurationError::invalid(
            &format!("{field}/{unknown}"),
            format!("there are no {field} with this method; leave it out"),
        )),
        Some(unknown) => Err(ConfigurationError::invalid(
            &format!("{field}/{unknown}"),
            format!("there is no such one; {field} are: {}", known()),
        )),
        None => Ok(()),
    }
}

/// Custom settings and secrets are environment variables.
fn check_custom(
    method: AccessMethod,
    settings: &BTreeMap<String, String>,
    secrets: &BTreeMap<String, Secret>,
) -> Result<(), ConfigurationError> {
    if method != AccessMethod::Static {
        return Err(ConfigurationError::invalid(
            "method",
            "a custom configuration can only be `static`",
        ));
    }
    if settings.len() + secrets.len() > MAX_CUSTOM {
        return Err(ConfigurationError::invalid(
            "settings",
            format!("use at most {MAX_CUSTOM} settings and secrets"),
        ));
    }
    let names = settings
        .keys()
        .map(|name| ("settings", name))
        .chain(secrets.keys().map(|name| ("secrets", name)));
    for (field, name) in names {
        let usable = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.len() <= 256
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !usable {
            return Err(ConfigurationError::invalid(
                &format!("{field}/{name}"),
                "it names an environment variable: use letters, digits and `_`, not beginning \
                 with a digit",
            ));
        }
        if settings.contains_key(name) && secrets.contains_key(name) {
            return Err(ConfigurationError::invalid(
                &format!("settings/{name}"),
                "there is a secret of this name; leave one out",
            ));
        }
    }
    Ok(())
}
