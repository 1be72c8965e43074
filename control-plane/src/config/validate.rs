//! What must fit together between settings.

use super::Config;
use super::reader::Reader;
use super::values::BlobKind;

pub(super) fn check(config: &Config, reader: &mut Reader) {
    check_server(config, reader);
    check_blobs(config, reader);
    check_database(config, reader);
    check_numbers(config, reader);
    check_key(config, reader);
    if let Err(error) = telemetry::logs::check_filter(&config.log.filter) {
        reader.mistake("log.filter", error.to_string());
    }
}

fn check_key(config: &Config, reader: &mut Reader) {
    const SETTING: &str = "keys.installation_key";
    let keys = &config.keys;
    for (setting, both) in [
        (
            "keys.installation_key_command",
            keys.installation_key.is_some() && !keys.installation_key_command.is_empty(),
        ),
        (
            "keys.earlier_installation_key_command",
            keys.earlier_installation_key.is_some()
                && !keys.earlier_installation_key_command.is_empty(),
        ),
    ] {
        if both {
            reader.mistake(
                setting,
                "can't be set together with the key itself; remove one",
            );
        }
    }
    let mut check = |setting: &str, text: &domain::Secret| {
        if let Err(error) = vault::InstallationKey::parse(text.expose()) {
            reader.mistake(setting, error.to_string());
        }
    };
    if let Some(text) = &config.keys.earlier_installation_key {
        check("keys.earlier_installation_key", text);
    }
    match &keys.installation_key {
        None if !keys.installation_key_command.is_empty() => {}
        None => reader.mistake(
            SETTING,
            "must be set, here or as keys.installation_key_file; make one with \
             `openssl rand -base64 32` and keep a copy apart from the backups",
        ),
        Some(text) => check(SETTING, text),
    }
}

fn check_server(config: &Config, reader: &mut Reader) {
    let server = &config.server;
    let url = &server.public_url;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        reader.mistake(
            "server.public_url",
            "must begin with https:// and name a host",
        );
    } else if url.scheme() == "http" && !server.http_only {
        reader.mistake(
            "server.public_url",
            "must begin with https:// unless server.http_only is set",
        );
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        reader.mistake(
            "server.public_url",
            "can't have a path: Terraform asks for service discovery at the root of the host",
        );
    }
    let files = [
        (
            "server.tls_certificate_file",
            server.tls_certificate_file.is_some(),
        ),
        ("server.tls_key_file", server.tls_key_file.is_some()),
    ];
    for (setting, is_set) in files {
        if server.http_only && is_set {
            reader.mistake(
                setting,
                "has no effect together with server.http_only; remove one",
            );
        } else if !server.http_only && !is_set {
            reader.mistake(
                setting,
                "must be set, unless a proxy does TLS (server.http_only)",
            );
        }
    }
}

fn check_blobs(config: &Config, reader: &mut Reader) {
    let blobs = &config.blobs;
    let of_s3 = [
        ("blobs.bucket", blobs.bucket.is_some()),
        ("blobs.region", blobs.region.is_some()),
        ("blobs.endpoint", blobs.endpoint.is_some()),
        ("blobs.access_key_id", blobs.access_key_id.is_some()),
        ("blobs.secret_access_key", blobs.secret_access_key.is_some()),
        ("blobs.prefix", blobs.prefix.is_some()),
    ];
    match blobs.kind {
        BlobKind::Directory => {
            for (setting, _) in of_s3.into_iter().filter(|(_, is_set)| *is_set) {
                reader.mistake(setting, "has no effect unless blobs.kind is s3");
            }
        }
        BlobKind::S3 => {
            if blobs.bucket.is_none() {
                reader.mistake("blobs.bucket", "must be set when blobs.kind is s3");
            }
            if blobs.directory.is_some() {
                reader.mistake("blobs.directory", "has no effect when blobs.kind is s3");
            }
            if blobs.access_key_id.is_some() != blobs.secret_access_key.is_some() {
                reader.mistake(
                    "blobs.access_key_id",
                    "and blobs.secret_access_key are set together or not at all",
                );
            }
            let plain = blobs
                .endpoint
                .as_ref()
                .is_some_and(|it| it.scheme() == "http");
            if plain && !blobs.allow_http {
                reader.mistake(
                    "blobs.endpoint",
                    "uses http://, which blobs.allow_http must allow",
                );
            }
        }
    }
}

fn check_database(config: &Config, reader: &mut Reader) {
    let Some(url) = &config.database.url else {
        return;
    };
    let known = ["sqlite:", "postgres://", "postgresql://"];
    if !known.iter().any(|scheme| url.expose().starts_with(scheme)) {
        reader.mistake("database.url", "must begin with sqlite:// or postgres://");
    }
}

fn check_numbers(config: &Config, reader: &mut Reader) {
    let at_least_one = [
        (
            "server.max_connections",
            u64::from(config.server.max_connections),
        ),
        (
            "database.max_connections",
            u64::from(config.database.max_connections),
        ),
        (
            "runs.out_of_contact_minutes",
            u64::from(config.runs.out_of_contact_minutes),
        ),
        (
            "runs.timeout_minutes",
            u64::from(config.runs.timeout_minutes),
        ),
        (
            "limits.max_configuration_bytes",
            config.limits.max_configuration_bytes,
        ),
        ("limits.max_state_bytes", config.limits.max_state_bytes),
        (
            "limits.header_timeout_seconds",
            u64::from(config.limits.header_timeout_seconds),
        ),
        ("limits.max_log_bytes", config.limits.max_log_bytes),
    ];
    for (setting, _) in at_least_one.into_iter().filter(|(_, number)| *number == 0) {
        reader.mistake(setting, "must be at least 1");
    }
}
