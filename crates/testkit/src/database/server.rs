//! A throw-away PostgreSQL server for the tests of this process.
//!
//! Started by the first test that asks, on a unix socket in a temporary directory. A small shell
//! process waits for the end of a pipe that this process holds: however this process ends, the
//! server is stopped and its files are deleted. PostgreSQL refuses to run as root, so as root it
//! runs as the user `postgres`.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

const OPTIONS: &str = "-c listen_addresses= -c max_connections=200";
/// What a test server need not do: survive a crash.
const CARELESS: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off \
    -c autovacuum=off -c shared_buffers=32MB";

/// Waits until our end of the pipe is gone, then cleans up.
const WATCHDOG: &str = r#"cat >/dev/null; dir=$1; shift; "$@" >/dev/null 2>&1; rm -rf "$dir""#;

pub(super) struct Server {
    dir: PathBuf,
    /// Holds the pipe open for as long as this process lives.
    _watchdog: Child,
}

impl Server {
    /// The server of this process, or why there is none.
    pub(super) fn shared() -> Result<&'static Self, &'static str> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        Self::of(&SERVER, CARELESS)
    }

    /// One that keeps what it has committed, as production servers do: for measurements.
    pub(super) fn durable() -> Result<&'static Self, &'static str> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        Self::of(&SERVER, "")
    }

    fn of(
        server: &'static OnceLock<Option<Self>>,
        options: &str,
    ) -> Result<&'static Self, &'static str> {
        server
            .get_or_init(|| newest_installation().map(|bin| Self::start(&bin, options)))
            .as_ref()
            .ok_or("PostgreSQL (Debian: apt-get install postgresql)")
    }

    fn start(bin: &Path, further_options: &str) -> Self {
        // Not in $TMPDIR: the path of a unix socket is limited to 107 bytes.
        let dir = tempfile::Builder::new()
            .prefix("terrane-pg-")
            .tempdir_in("/tmp")
            .unwrap()
            .keep();
        let data = dir.join("data");
        let owner = Owner::choose(&dir);

        let mut stop = owner.command(bin.join("pg_ctl"));
        stop.args(["stop", "-m", "immediate", "-D"]).arg(&data);
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&dir)
            .arg(stop.get_program())
            .args(stop.get_args())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // So that Ctrl-C on the terminal doesn't end it before its work.
            .process_group(0)
            .spawn()
            .unwrap();

        let mut init = owner.command(bin.join("initdb"));
        init.args([
            "--username=postgres",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
        ]);
        init.args([
            "--locale=C.UTF-8",
            "--locale-provider=icu",
            "--icu-locale=en-US",
        ]);
        run(init.arg("--pgdata").arg(&data));
        let options = format!(
            "{OPTIONS} {further_options} -c unix_socket_directories={}",
            dir.display()
        );
        let mut start = owner.command(bin.join("pg_ctl"));
        run(start
            .args(["start", "--wait", "--timeout=120", "--options", &options])
            .arg("--log")
            .arg(dir.join("log"))
            .arg("--pgdata")
            .arg(&data));
        Self {
            dir,
            _watchdog: watchdog,
        }
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}",
            self.dir.display()
        )
    }
}

/// Who runs the server.
enum Owner {
    Us,
    PostgresUser,
}

impl Owner {
    fn choose(dir: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        if dir.metadata().unwrap().uid() != 0 {
            return Self::Us;
        }
        run(Command::new("chown").arg("postgres:postgres").arg(dir));
        Self::PostgresUser
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self {
            Self::Us => Command::new(program),
            Self::PostgresUser => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
                command.arg(program);
                command
            }
        };
        command.current_dir("/");
        command
    }
}

fn newest_installation() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin/initdb").is_file())
        .max_by_key(|path| path.file_name()?.to_str()?.parse::<u32>().ok())
        .map(|path| path.join("bin"))
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
