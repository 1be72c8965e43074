//! The box on the loopback of a namespace of its own. Needs root and the kernel's NFQUEUE; says so
//! where they are missing, and fails there in CI.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A network namespace that goes away with the test.
struct Namespace(String);

impl Namespace {
    fn new() -> Result<Self, String> {
        let name = format!("netbox-{}", std::process::id());
        run(&["ip", "netns", "add", &name])?;
        let namespace = Self(name);
        run(&["ip", "-n", &namespace.0, "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// Sends datagrams to itself and says how many came; python is the smallest client there is.
    fn echo(&self, count: u32) -> u32 {
        let script = format!(
            "import socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('127.0.0.1', 0)); a.settimeout(2)
for _ in range({count}): a.sendto(b'x' * 500, a.getsockname())
n = 0
try:
    while n < {count}: a.recv(600); n += 1
except TimeoutError: pass
print(n)"
        );
        let output = self
            .command("python3")
            .args(["-c", &script])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run(&["ip", "netns", "del", &self.0]);
    }
}

fn run(words: &[&str]) -> Result<(), String> {
    let output = Command::new(words[0]).args(&words[1..]).output();
    let output = output.map_err(|error| format!("{}: {error}", words[0]))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

struct Netbox {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Netbox {
    fn start(namespace: &Namespace) -> Result<Self, String> {
        let mut child = namespace
            .command(env!("CARGO_BIN_EXE_netbox"))
            .args(["--rule", "-p udp"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut netbox = Self {
            child,
            input,
            output,
        };
        match netbox.line().as_str() {
            "ready" => Ok(netbox),
            _ => Err("NFQUEUE or iptables does not work here".to_owned()),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn tell(&mut self, command: &str) {
        // The answer to `stats` shows that the command before it was read.
        writeln!(self.input, "{command}\nstats").unwrap();
        self.line();
    }

    fn stop(self) -> String {
        let Self {
            mut child,
            input,
            mut output,
        } = self;
        drop(input);
        let mut counts = String::new();
        output.read_line(&mut counts).unwrap();
        assert!(child.wait().unwrap().success());
        counts
    }
}

#[test]
fn it_delivers_loses_and_goes_away() {
    let namespace = Namespace::new();
    let started = namespace.and_then(|ns| Netbox::start(&ns).map(|netbox| (ns, netbox)));
    let (namespace, mut netbox) = match started {
        Ok(started) => started,
        Err(why) => return testkit::skip(&format!("a network box ({why})")),
    };
    assert_eq!(namespace.echo(50), 50);
    netbox.tell("loss 1");
    assert_eq!(namespace.echo(50), 0);
    netbox.tell("loss 0");
    netbox.tell("delay-ms 5");
    assert_eq!(namespace.echo(50), 50);
    let counts = netbox.stop();
    assert_eq!(counts.trim(), r#"{"packets":150,"lost":50,"dropped":0}"#);
    assert_eq!(namespace.echo(50), 50, "its rule is gone");
}
