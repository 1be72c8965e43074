//! The programs that tests start: found or built once, then shared by all test processes.

use std::path::PathBuf;
use std::sync::OnceLock;

use workshop::Tree;

/// The mirror of the test provider, built on first use.
pub fn provider_mirror() -> PathBuf {
    static MIRROR: OnceLock<PathBuf> = OnceLock::new();
    MIRROR
        .get_or_init(|| workshop::provider::mirror(&Tree::here()).unwrap())
        .clone()
}

/// The real terraform, fetched on first use where it isn't installed.
pub fn terraform() -> PathBuf {
    static TERRAFORM: OnceLock<PathBuf> = OnceLock::new();
    TERRAFORM
        .get_or_init(|| workshop::terraform::find_or_fetch(&Tree::here()).unwrap())
        .clone()
}

/// Whether a Docker daemon answers; the default image for jobs is then there too.
pub fn docker() -> bool {
    static DOCKER: OnceLock<bool> = OnceLock::new();
    *DOCKER.get_or_init(|| {
        if !workshop::image::docker_answers() {
            return false;
        }
        let tree = Tree::here();
        let _lock = workshop::Lock::take(&tree.tools(), "image").unwrap();
        if !workshop::image::exists(workshop::image::DEFAULT_TAG) {
            workshop::image::build(workshop::image::DEFAULT_TAG, &[&terraform()]).unwrap();
        }
        true
    })
}
