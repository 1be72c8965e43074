//! The file that makes terraform know this installation: `TF_CLI_CONFIG_FILE`.

use domain::Secret;

/// The services that a host block names, as service discovery does (TFE contract, section 1).
/// Signing in is left out: the file brings its token along.
const SERVICES: &[&str] = &["state.v2", "tfe.v2", "tfe.v2.1", "tfe.v2.2"];

/// `host` is HOST:PORT as configurations name it. With `plain_http`, the base URL of a loopback
/// listener, terraform talks to that one and needs no certificate.
pub(super) fn contents(host: &str, token: &Secret, plain_http: Option<&str>) -> Secret {
    let mut text = format!(
        "# Written by `terrane dev` at each start.\n\
         credentials \"{host}\" {{\n  token = \"{}\"\n}}\n",
        token.expose()
    );
    if let Some(base) = plain_http {
        let base = base.trim_end_matches('/');
        text.push_str(&format!("\nhost \"{host}\" {{\n  services = {{\n"));
        for service in SERVICES {
            text.push_str(&format!("    \"{service}\" = \"{base}/api/v2/\"\n"));
        }
        text.push_str("  }\n}\n");
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_for_the_host_and_port() {
        let text = contents("localhost:8443", &Secret::new("trn_1".to_owned()), None);
        assert!(
            text.expose()
                .contains("credentials \"localhost:8443\" {\n  token = \"trn_1\"\n}")
        );
        assert!(!text.expose().contains("\nhost "));
    }

    #[test]
    fn plain_http_needs_a_host_block() {
        let base = Some("http://localhost:8080/");
        let text = contents("localhost:8443", &Secret::new("trn_1".to_owned()), base);
        let line = "    \"tfe.v2\" = \"http://localhost:8080/api/v2/\"\n";
        assert!(text.expose().contains(line), "{}", text.expose());
    }
}
