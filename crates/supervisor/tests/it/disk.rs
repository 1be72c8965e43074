//! A full disk.

use std::path::Path;
use std::process::Command as Program;

use step::Outcome;

use crate::fixture::{Fixture, is_root, skip};
use crate::terraform;

/// A small file system, unmounted when dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mounted = Program::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(directory.path())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Program::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_cancels_and_the_last_state_is_kept() {
    let Some(terraform) = terraform::find() else {
        return;
    };
    let Some(small) = is_root().then(|| Small::mount("5m")).flatten() else {
        return skip("a small file system can't be mounted");
    };
    let fixture = Fixture::at(&small.path().join("step"));
    let growing = r#"
resource "terraform_data" "r" {
  count = 120
  input = "${count.index}${join("", [for i in range(1000) : "0123456789abcdef"])}"
}
"#;
    terraform::with_local_state(&fixture, growing);
    let mut spec = fixture.spec(terraform::commands(&terraform, &[]));
    spec.limits.ballast_bytes = 1 << 20;
    let exit = fixture.start(&spec).exit();
    assert!(exit.disk_full, "{exit:?}");
    assert_eq!(exit.outcome, Outcome::Failed);
    assert!(exit.message.unwrap().contains("disk"));
    let (entry, _) = fixture.newest().expect("a journalled state");
    assert!(entry.serial > 1);
    assert_eq!(Some(entry), exit.last_state);
}
