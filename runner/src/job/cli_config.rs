//! The CLI configuration that is generated for a step: where providers come from, and how the
//! control plane's registry is reached.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use terraform::hcl::quote;

/// How the control plane's own services are reached from inside the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiHost {
    /// As configurations name it.
    pub host: String,
    /// Service name and URL on the relay.
    pub services: Vec<(String, String)>,
    /// What the relay wants to see as bearer token.
    pub token: String,
}

/// Where providers are installed from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Providers {
    /// Directories in mirror layout, unpacked or packed.
    pub mirrors: Vec<Mirror>,
}

/// One directory of providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    pub path: PathBuf,
    /// Addresses (`host/namespace/type`) that come from nowhere else.
    pub only_here: BTreeSet<String>,
}

/// The providers that a directory in mirror layout holds.
pub fn providers_in(mirror: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for host in names_in(mirror) {
        for namespace in names_in(&mirror.join(&host)) {
            for kind in names_in(&mirror.join(&host).join(&namespace)) {
                found.insert(format!("{host}/{namespace}/{kind}"));
            }
        }
    }
    found
}

fn names_in(path: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(path) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// The text of the configuration file.
pub fn cli_config(providers: &Providers, api: Option<&ApiHost>) -> String {
    let mut text = String::from("disable_checkpoint = true\n");
    if let Some(api) = api {
        let _ = write!(text, "\nhost {} {{\n  services = {{\n", quote(&api.host));
        for (name, url) in &api.services {
            let _ = writeln!(text, "    {} = {}", quote(name), quote(url));
        }
        text.push_str("  }\n}\n");
        let (host, token) = (quote(&api.host), quote(&api.token));
        let _ = write!(text, "\ncredentials {host} {{\n  token = {token}\n}}\n");
    }
    if !providers.mirrors.is_empty() {
        text.push_str("\nprovider_installation {\n");
        let mut only = BTreeSet::new();
        for mirror in &providers.mirrors {
            let path = quote(&mirror.path.to_string_lossy());
            let _ = write!(text, "  filesystem_mirror {{\n    path = {path}\n  }}\n");
            only.extend(mirror.only_here.iter().map(|address| quote(address)));
        }
        let only: Vec<String> = only.into_iter().collect();
        let _ = write!(
            text,
            "  direct {{\n    exclude = [{}]\n  }}\n}}\n",
            only.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_of_a_mirror_come_from_there_alone() {
        let directory = tempfile::tempdir().unwrap();
        let package = "registry.terraform.io/hashicorp/aws/5.0.0/linux_amd64";
        std::fs::create_dir_all(directory.path().join(package)).unwrap();
        let only_here = providers_in(directory.path());
        let mirrors = vec![Mirror {
            path: "/m".into(),
            only_here,
        }];
        let text = cli_config(&Providers { mirrors }, None);
        assert!(
            text.contains(r#"exclude = ["registry.terraform.io/hashicorp/aws"]"#),
            "{text}"
        );
        assert!(text.contains(r#"path = "/m""#), "{text}");
    }

    #[test]
    fn the_api_host_leads_to_the_relay() {
        let api = ApiHost {
            host: "terrane.example".into(),
            services: vec![("modules.v1".into(), "http://127.0.0.1:1/m/".into())],
            token: "t".into(),
        };
        let text = cli_config(&Providers::default(), Some(&api));
        assert!(text.contains("host \"terrane.example\" {"), "{text}");
        assert!(
            text.contains("\"modules.v1\" = \"http://127.0.0.1:1/m/\""),
            "{text}"
        );
        assert!(!text.contains("provider_installation"), "{text}");
    }
}
