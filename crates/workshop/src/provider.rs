//! The test provider: built as a static binary, laid out as a file-system mirror.
//!
//! Static, because it also runs in images without a C library. One binary under two names:
//! `sandbox.test/demo/sandbox` and, pretending, `hashicorp/aws`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{Lock, Tree};

/// Address below the mirror, version, and the binary's name there.
const NAMES: [(&str, &str, &str); 2] = [
    (
        "sandbox.test/demo/sandbox",
        "1.0.0",
        "terraform-provider-sandbox_v1.0.0",
    ),
    (
        "registry.terraform.io/hashicorp/aws",
        "5.99.0",
        "terraform-provider-aws_v5.99.0",
    ),
];

/// The mirror's directory, built on first use. Rebuilding after a change of the provider's source
/// keeps the version: lock files made with the old binary must be deleted.
///
/// # Errors
/// When the provider doesn't build; it needs `protoc`.
pub fn mirror(tree: &Tree) -> Result<PathBuf> {
    let _lock = Lock::take(&tree.tools(), "provider")?;
    let built = build(tree).context("building the test provider (it needs protoc)")?;
    let mirror = tree.tools().join("mirror");
    let platform = if cfg!(target_arch = "aarch64") {
        "linux_arm64"
    } else {
        "linux_amd64"
    };
    for (address, version, name) in NAMES {
        let directory = mirror.join(address).join(version).join(platform);
        std::fs::create_dir_all(&directory)?;
        install(&built, &directory.join(name))?;
    }
    Ok(mirror)
}

fn build(tree: &Tree) -> Result<PathBuf> {
    let source = tree.root.join("crates/testkit/provider");
    crate::product::static_build(tree, "provider", |cargo: &mut Command| {
        cargo.arg("--manifest-path").arg(source.join("Cargo.toml"));
    })
}

/// A running plugin keeps the old file: a new one replaces it by name only.
fn install(built: &Path, destination: &Path) -> Result<()> {
    let same =
        || -> std::io::Result<bool> { Ok(std::fs::read(built)? == std::fs::read(destination)?) };
    if same().unwrap_or(false) {
        return Ok(());
    }
    let temporary = destination.with_extension("new");
    std::fs::copy(built, &temporary)?;
    Ok(std::fs::rename(&temporary, destination)?)
}

/// A CLI configuration that installs from the mirror only.
pub fn cli_configuration(mirror: &Path) -> String {
    format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
        mirror.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cli_configuration_names_the_mirror() {
        assert!(cli_configuration(Path::new("/m")).contains("path = \"/m\""));
    }
}
