//! One provider in one version, and how its archive is called.

use std::path::PathBuf;

use crate::job::StepDir;
use crate::logs::script::architecture;

/// More providers are not looked at after one job.
const MOST: usize = 64;

/// A provider's version for this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Package {
    /// `registry.example[:port]`
    pub host: String,
    pub namespace: String,
    pub kind: String,
    pub version: String,
}

impl Package {
    /// `None` unless every part is one that can be in a path and in an address.
    pub fn new(host: &str, namespace: &str, kind: &str, version: &str) -> Option<Self> {
        let plain = |text: &str, more: &[u8]| {
            !text.is_empty()
                && text.len() <= 128
                && !text.starts_with('.')
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        let is_fine = plain(host, b".-:")
            && plain(namespace, b"-_")
            && plain(kind, b"-_")
            && plain(version, b".-+")
            && semver::Version::parse(version).is_ok();
        is_fine.then(|| Self {
            host: host.to_owned(),
            namespace: namespace.to_owned(),
            kind: kind.to_owned(),
            version: version.to_owned(),
        })
    }

    /// `OS_ARCH`, as registries say it.
    pub fn platform() -> String {
        format!("{}_{}", std::env::consts::OS, architecture())
    }

    /// The archive's name in a packed mirror, and in the registry's list of checksums.
    pub fn file_name(&self) -> String {
        let platform = Self::platform();
        format!(
            "terraform-provider-{}_{}_{platform}.zip",
            self.kind, self.version
        )
    }

    /// Relative to a mirror.
    pub fn path(&self) -> PathBuf {
        [&self.host, &self.namespace, &self.kind, &self.file_name()]
            .iter()
            .collect()
    }
}

/// The providers that terraform has installed for a working directory. Only names are read: the files
/// are the step's, and nothing in them is believed.
pub fn installed_in(step: &StepDir, working: &std::path::Path) -> Vec<Package> {
    let root = working.join(".terraform/providers");
    let mut found = Vec::new();
    for host in names(step, &root) {
        for namespace in names(step, &root.join(&host)) {
            for kind in names(step, &root.join(&host).join(&namespace)) {
                for version in names(step, &root.join(&host).join(&namespace).join(&kind)) {
                    found.extend(Package::new(&host, &namespace, &kind, &version));
                    if found.len() >= MOST {
                        return found;
                    }
                }
            }
        }
    }
    found
}

fn names(step: &StepDir, path: &std::path::Path) -> Vec<String> {
    let Ok(entries) = step.dir().read_dir(path) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    names.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_taken() {
        let package = Package::new("registry.example:8443", "hashicorp", "aws", "5.0.0").unwrap();
        let path = package.path().display().to_string();
        assert!(
            path.starts_with("registry.example:8443/hashicorp/aws/terraform-provider-aws_5.0.0_")
        );
        for (host, version) in [
            ("..", "1.0.0"),
            ("a/b", "1.0.0"),
            ("a", "../1"),
            ("a", "latest"),
        ] {
            assert_eq!(
                Package::new(host, "n", "k", version),
                None,
                "{host} {version}"
            );
        }
        assert_eq!(Package::new("a", "..", "k", "1.0.0"), None);
    }
}
