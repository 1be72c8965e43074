//! Reading and writing `docs/`.

use std::path::{Path, PathBuf};

/// A file below the repository's `docs/`.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name)
}

/// Holds a document against what the code says; writes it when asked to.
pub(super) fn check(name: &str, generated: &str, test: &str) {
    let path = path(name);
    if update_wanted() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, generated).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "docs/{name} is not what the code says. Write it anew, and look at the change:\n  \
         UPDATE_DOCS=1 cargo test -p control-plane {test}"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the switch that turns a check into an update"
)]
fn update_wanted() -> bool {
    std::env::var("UPDATE_DOCS").is_ok_and(|value| value == "1")
}
