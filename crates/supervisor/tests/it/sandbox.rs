//! What a command in the sandbox must not reach.

use step::{Outcome, Sandbox, files};

use crate::fixture::{Fixture, is_root, shell, skip};

/// Prints one line per try that should not have worked.
const ESCAPES: &str = r#"
tries() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "escaped: $name"; fi; }
tries shadow cat /etc/shadow
tries other-job cat "$OTHER"
tries other-job-write sh -c 'echo x > "$OTHER"'
tries supervisor-signal kill -CONT "$SUPERVISOR"
tries outside-signal kill -CONT "$OUTSIDE"
tries environment cat "/proc/$OUTSIDE/environ"
tries journal touch ../journal/x
tries control touch ../control/kill
tries exit touch ../exit.json
tries spec sh -c 'echo x > ../spec.json'
tries mount mount -t tmpfs tmpfs ../tmp
tries unshare unshare -m true
tries user-namespace unshare -U true
tries raw-socket python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'
tries packet-socket python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'
tries ptrace python3 -c 'import ctypes, os; l = ctypes.CDLL(None); p = os.fork() or os._exit(l.pause()); exit(l.ptrace(16, p, 0, 0) != 0)'
tries keyring python3 -c 'import ctypes; exit(ctypes.CDLL(None).syscall(250, 0, -3, 0) < 0)'
tries other-environment cat /proc/1/environ
tries core sh -c '[ "$(ulimit -c)" != 0 ]'
tries files sh -c '[ "$(ulimit -n)" != 256 ]'
# And what must go on working:
echo mine > ../tmp/mine && cat ../tmp/mine
python3 -c 'import socket; socket.socket(); socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)' && echo sockets
[ -w . ] && : > own && echo config
"#;

fn escapes(sandbox: Sandbox) -> String {
    let other = tempfile::tempdir_in("/var/tmp").unwrap();
    let secret = other.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let fixture = Fixture::new();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(fixture.path().parent().unwrap(), open).unwrap();
    let mut spec = fixture.spec(vec![shell("escape", ESCAPES)]);
    spec.env
        .insert("OTHER".into(), secret.to_string_lossy().into_owned());
    spec.env
        .insert("OUTSIDE".into(), std::process::id().to_string());
    spec.env
        .insert("SUPERVISOR".into(), std::process::id().to_string());
    spec.sandbox = sandbox;
    spec.limits.open_files = 256;
    spec.limits.processes = 4096;
    let exit = fixture.start(&spec).exit();
    assert_eq!(exit.outcome, Outcome::Succeeded, "{exit:?}");
    assert!(!fixture.path().join(files::KILL).exists());
    eprintln!("{}", fixture.read("output/escape.stderr"));
    fixture.read("output/escape.stdout")
}

const EXPECTED: &str = "mine\nsockets\nconfig\n";

#[test]
fn nothing_escapes_as_another_user() {
    if !is_root() {
        return skip("the user can't be changed without being root");
    }
    let (uid, gid) = (Some(65534), Some(65534));
    let sandbox = Sandbox {
        uid,
        gid,
        landlock: true,
        seccomp: true,
        rlimits: true,
        ..Sandbox::default()
    };
    assert_eq!(escapes(sandbox), EXPECTED);
}

/// With the user's own rights, root's even, the other layers hold by themselves.
#[test]
fn nothing_escapes_as_the_same_user() {
    let sandbox = Sandbox {
        landlock: true,
        seccomp: true,
        rlimits: true,
        ..Sandbox::default()
    };
    assert_eq!(escapes(sandbox), EXPECTED);
}

#[test]
fn a_layer_that_can_not_be_put_on_is_an_error() {
    let fixture = Fixture::new();
    let mut spec = fixture.spec(vec![shell("never", "true")]);
    spec.sandbox.rlimits = true;
    // More than any kernel gives.
    spec.limits.open_files = u64::MAX / 2;
    let exit = fixture.start(&spec).exit();
    assert_eq!(
        (exit.outcome, exit.commands[0].code),
        (Outcome::Failed, 127)
    );
    assert!(exit.message.unwrap().contains("limits"));
}

#[test]
fn the_probe_tells_what_works() {
    // Where the test binary was built may be closed to other users.
    let place = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(place.path(), open).unwrap();
    let supervisor = place.path().join("terrane-supervisor");
    std::fs::copy(crate::fixture::SUPERVISOR, &supervisor).unwrap();
    let output = std::process::Command::new(supervisor)
        .arg("--probe")
        .output();
    let probe: step::Probe = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    assert!(probe.rlimits.works, "{probe:?}");
    assert_eq!(probe.uid_drop.works, is_root(), "{probe:?}");
}
