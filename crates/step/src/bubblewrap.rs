//! The command line that puts a supervisor into namespaces of its own.
//!
//! The runner starts `bwrap … terrane-supervisor STEP_DIR`; the supervisor then adds the layers of
//! [`crate::Sandbox`] for each command. `--die-with-parent` is left out on purpose: bubblewrap's
//! parent is the runner, and a step outlives its runner. Start it in a session or process group of
//! its own, and go by [`crate::liveness`], not by bubblewrap's pid. The network stays shared:
//! providers need it. Everything inside sees only the paths bound here, its own processes, and a
//! private `/tmp`, which goes when the step ends.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Directories and files of the system that commands may read. Those that aren't there are left out.
pub const SYSTEM_READ_ONLY: [&str; 21] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/passwd",
    "/etc/group",
];

/// What to start, and what it may see.
#[derive(Debug, Clone)]
pub struct Bubblewrap {
    /// Path of `bwrap`.
    pub program: PathBuf,
    /// Path of `terrane-supervisor`, bound at the same path.
    pub supervisor: PathBuf,
    /// Bound at the same path, writable.
    pub step_directory: PathBuf,
    /// Bound at the same path: terraform, the provider mirror.
    pub read_only: Vec<PathBuf>,
    pub read_write: Vec<PathBuf>,
    /// The directory of the step's own cgroup, and where the supervisor is to find it: it measures
    /// what the step uses there. Read-only.
    pub cgroup: Option<(PathBuf, PathBuf)>,
    /// A network namespace with nothing but loopback.
    pub no_network: bool,
}

impl Bubblewrap {
    /// The whole command line, program first.
    #[must_use]
    pub fn argv(&self) -> Vec<OsString> {
        let mut argv: Vec<OsString> = vec![self.program.clone().into()];
        let namespaces = [
            "--unshare-pid",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ];
        argv.extend(namespaces.map(OsString::from));
        if self.no_network {
            argv.push("--unshare-net".into());
        }
        argv.extend(["--new-session", "--clearenv", "--hostname", "step"].map(OsString::from));
        // Made by bubblewrap itself it would be closed to every user but root, and with it the way
        // to name servers and certificate authorities.
        argv.extend(["--perms", "0755", "--dir", "/etc"].map(OsString::from));
        for path in SYSTEM_READ_ONLY {
            argv.extend(["--ro-bind-try", path, path].map(OsString::from));
        }
        argv.extend(["--proc", "/proc", "--dev", "/dev"].map(OsString::from));
        argv.extend(["--perms", "1777", "--tmpfs", "/tmp"].map(OsString::from));
        // As above.
        for directory in self.parents() {
            argv.extend(["--perms", "0755", "--dir"].map(OsString::from));
            argv.push(directory.into());
        }
        let mut bind = |how: &str, path: &PathBuf| {
            argv.extend([
                OsString::from(how),
                path.clone().into(),
                path.clone().into(),
            ]);
        };
        bind("--ro-bind", &self.supervisor);
        self.read_only
            .iter()
            .for_each(|path| bind("--ro-bind", path));
        self.read_write.iter().for_each(|path| bind("--bind", path));
        bind("--bind", &self.step_directory);
        if let Some((group, seen_at)) = &self.cgroup {
            argv.extend([
                OsString::from("--ro-bind"),
                group.clone().into(),
                seen_at.clone().into(),
            ]);
        }
        argv.extend([
            OsString::from("--chdir"),
            self.step_directory.clone().into(),
            "--".into(),
        ]);
        argv.extend([
            self.supervisor.clone().into(),
            self.step_directory.clone().into(),
        ]);
        argv
    }

    /// Directories above what is bound, from the top down.
    fn parents(&self) -> BTreeSet<PathBuf> {
        let bound = [&self.supervisor, &self.step_directory].into_iter();
        let bound = bound.chain(&self.read_only).chain(&self.read_write);
        let parents = bound.flat_map(|path| path.ancestors().skip(1));
        parents
            .filter(|path| path.parent().is_some())
            .map(Path::to_owned)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_outlives_its_runner_and_sees_only_what_is_bound() {
        let argv = Bubblewrap {
            program: "/usr/bin/bwrap".into(),
            supervisor: "/opt/terrane-supervisor".into(),
            step_directory: "/var/steps/1".into(),
            read_only: vec!["/opt/mirror".into()],
            read_write: vec![],
            cgroup: Some(("/cg/job".into(), "/sys/fs/cgroup".into())),
            no_network: false,
        }
        .argv();
        let line = argv
            .iter()
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ");
        assert!(line.starts_with("/usr/bin/bwrap --unshare-pid"), "{line}");
        assert!(!line.contains("die-with-parent"), "{line}");
        assert!(!line.contains("--unshare-net"), "{line}");
        assert!(!line.contains("/etc /etc"), "{line}");
        assert!(
            line.contains("--perms 0755 --dir /etc --ro-bind-try"),
            "{line}"
        );
        let parents =
            "--dir /opt --perms 0755 --dir /var --perms 0755 --dir /var/steps --ro-bind /opt/";
        assert!(line.contains(parents), "{line}");
        assert!(line.contains("--ro-bind /opt/mirror /opt/mirror"), "{line}");
        assert!(line.contains("--bind /var/steps/1 /var/steps/1"), "{line}");
        assert!(line.contains("--ro-bind /cg/job /sys/fs/cgroup"), "{line}");
        assert!(
            line.ends_with("-- /opt/terrane-supervisor /var/steps/1"),
            "{line}"
        );
    }
}
