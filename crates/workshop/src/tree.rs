//! Where things are: the source tree and the target directory.

use std::path::{Path, PathBuf};

/// The checkout this was compiled from, and where it builds to.
#[derive(Debug, Clone)]
pub struct Tree {
    pub root: PathBuf,
    pub target: PathBuf,
}

impl Tree {
    /// The tree of the running tool or test.
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo's own variable; tools have no configuration"
    )]
    pub fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().unwrap_or(root);
        let target = std::env::var("CARGO_TARGET_DIR")
            .map_or_else(|_| root.join("target"), |it| root.join(it));
        Self { root, target }
    }

    /// Things that outlive a build: fetched tools, the provider mirror.
    pub fn tools(&self) -> PathBuf {
        self.target.join("workshop")
    }

    /// Where cargo puts binaries of the profile that tests use.
    pub fn binaries(&self) -> PathBuf {
        self.target.join("debug")
    }
}
