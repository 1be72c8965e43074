//! A step directory, and a supervisor at work in it.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use step::{
    Command, Exit, JournalEntry, Limits, Sandbox, Spec, StateMode, StateSpec, Status, files,
};
use vault::sealed::{RecipientKey, open_with};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
pub(crate) const SUPERVISOR: &str = env!("CARGO_BIN_EXE_terrane-supervisor");
const CONTEXT: &str = "acc-1/run-1/job-1";

/// A step directory that is yet to be begun.
pub(crate) struct Fixture {
    scratch: Option<tempfile::TempDir>,
    path: PathBuf,
    key: RecipientKey,
}

/// A supervisor that was started; killed with all its own when dropped.
pub(crate) struct Running<'a> {
    fixture: &'a Fixture,
    supervisor: Child,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("step");
        let mut fixture = Self::at(&path);
        fixture.scratch = Some(scratch);
        fixture
    }

    pub(crate) fn at(path: &Path) -> Self {
        for name in ["config", "state", "tmp"] {
            std::fs::create_dir_all(path.join(name)).unwrap();
        }
        Self {
            scratch: None,
            path: path.canonicalize().unwrap(),
            key: RecipientKey::generate(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write(&self, relative: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path.join(relative), text).unwrap();
    }

    pub(crate) fn read(&self, relative: &str) -> String {
        std::fs::read_to_string(self.path.join(relative)).unwrap_or_default()
    }

    /// A spec of `commands` that keeps a local state.
    pub(crate) fn spec(&self, commands: Vec<Command>) -> Spec {
        let inside = |name: &str| self.path.join(name).to_string_lossy().into_owned();
        let env = [
            (
                "PATH",
                "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned(),
            ),
            ("HOME", inside("tmp")),
            ("TMPDIR", inside("tmp")),
            ("CHECKPOINT_DISABLE", "1".to_owned()),
            ("TF_IN_AUTOMATION", "1".to_owned()),
        ];
        Spec {
            job_id: "job-1".into(),
            epoch: 1,
            commands,
            env: env
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<BTreeMap<_, _>>(),
            state: Some(StateSpec {
                mode: StateMode::Local,
                file: files::STATE.into(),
                port: 0,
                path_secret: "a-secret-of-enough-letters".into(),
                lineage: None,
                base_serial: -1,
                journal_public_key: self.key.public().to_string(),
                journal_key_id: self.key.id().to_string(),
                seal_context: CONTEXT.into(),
            }),
            sandbox: Sandbox::default(),
            limits: Limits::default(),
            ends_early: None,
        }
    }

    pub(crate) fn start(&self, spec: &Spec) -> Running<'_> {
        self.start_as(spec, &[SUPERVISOR.into(), self.path.clone().into()])
    }

    pub(crate) fn start_as(&self, spec: &Spec, argv: &[std::ffi::OsString]) -> Running<'_> {
        step::write_json(&self.path.join(files::SPEC), spec).unwrap();
        let supervisor = Program::new(&argv[0])
            .args(&argv[1..])
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        Running {
            fixture: self,
            supervisor,
        }
    }

    /// The newest entry of the journal with its state, opened and checked against the entry.
    pub(crate) fn newest(&self) -> Option<(JournalEntry, Vec<u8>)> {
        let listing = std::fs::read_dir(self.path.join(files::JOURNAL)).ok()?;
        let serials = listing.flatten().filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_suffix(".json")?
                .parse::<i64>()
                .ok()
        });
        let stem = format!("{}/{}", files::JOURNAL, serials.max()?);
        Some(self.open(&format!("{stem}.json"), &format!("{stem}.sealed")))
    }

    pub(crate) fn open(&self, entry: &str, sealed: &str) -> (JournalEntry, Vec<u8>) {
        let entry: JournalEntry = step::read_json(&self.path.join(entry)).unwrap().unwrap();
        let sealed = std::fs::File::open(self.path.join(sealed)).unwrap();
        let context = vault::Context {
            account: "acc-1",
            kind: step::SEAL_KIND,
            id: "run-1/job-1",
        };
        let mut state = vec![];
        open_with(&self.key, &context, sealed, &mut state).unwrap();
        assert_eq!(entry.size, state.len() as u64);
        assert_eq!(serial_of(&state), Some(entry.serial));
        (entry, state)
    }
}

impl Running<'_> {
    pub(crate) fn status(&self) -> Status {
        step::read_json(&self.fixture.path.join(files::STATUS))
            .unwrap()
            .unwrap_or_default()
    }

    pub(crate) fn supervisor(&self) -> Pid {
        Pid::from_child(&self.supervisor)
    }

    /// The command's process, once it is there.
    pub(crate) fn command(&self) -> Pid {
        self.until("a command runs", || self.status().child_pid.is_some());
        Pid::from_raw(self.status().child_pid.unwrap().cast_signed()).unwrap()
    }

    pub(crate) fn request(&self, file: &str) {
        self.until("it has begun", || {
            self.fixture.path.join(files::CONTROL).exists()
        });
        self.fixture.write(file, "");
    }

    /// Waits for a condition, but not for ever, nor past the supervisor's end.
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let since = Instant::now();
        while !holds() {
            assert!(since.elapsed() < PATIENCE, "never: {what}");
            let over = self.fixture.path.join(files::EXIT).exists();
            assert!(
                !over || holds(),
                "over before: {what}: {}",
                self.fixture.read(files::EXIT)
            );
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// Waits for the end.
    pub(crate) fn exit(mut self) -> Exit {
        let since = Instant::now();
        while self.supervisor.try_wait().unwrap().is_none() {
            assert!(since.elapsed() < PATIENCE, "the supervisor does not end");
            std::thread::sleep(Duration::from_millis(3));
        }
        let exit = step::read_json(&self.fixture.path.join(files::EXIT)).unwrap();
        exit.expect("an exit file")
    }

    /// As a power cut would: both at once, unannounced.
    pub(crate) fn kill_everything(mut self, command: Pid) {
        let _ = kill_process_group(command, Signal::KILL);
        let _ = kill_process(self.supervisor(), Signal::KILL);
        self.supervisor.wait().unwrap();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self
            .supervisor
            .try_wait()
            .is_ok_and(|ended| ended.is_some())
        {
            return;
        }
        let _ = std::fs::write(self.fixture.path.join(files::KILL), "");
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(30) {
            if self
                .supervisor
                .try_wait()
                .is_ok_and(|ended| ended.is_some())
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
    }
}

/// A command that runs `script` in a shell.
pub(crate) fn shell(name: &str, script: &str) -> Command {
    command(name, &["/bin/sh", "-c", script])
}

pub(crate) fn command(name: &str, argv: &[&str]) -> Command {
    Command {
        name: name.into(),
        argv: argv.iter().map(ToString::to_string).collect(),
        working_directory: files::CONFIG.into(),
        success: vec![0],
        optional: false,
        writes_state: false,
        stdout: None,
    }
}

/// `None` for what is no whole state.
pub(crate) fn serial_of(state: &[u8]) -> Option<i64> {
    serde_json::from_slice::<serde_json::Value>(state)
        .ok()?
        .get("serial")?
        .as_i64()
}

/// Says so when something is missing that a test needs, and fails where it must not be missing.
pub(crate) fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!ci, "skipped where nothing may be: {why}");
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
