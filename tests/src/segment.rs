//! A runner's own network: its namespace, and before it one that routes and can be made bad.
//!
//! ```text
//! here ── veth ── router ── veth ── the runner
//! ```
//!
//! All that is dropped, delayed or lost is so in the router: a sender notices nothing, as with a real
//! network, and this machine's own rules stay as they are. Only what goes to or comes from one port
//! (the gateway's) is touched, so that jobs reach their cloud all the while.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use workshop::Tree;

/// Two namespaces; they go with this.
pub struct Segment {
    name: String,
    here: String,
    runner: String,
}

/// A narrow link with delay and loss, for as long as this lives.
pub struct BadLink {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Segment {
    /// Nothing, after saying so, where the machine doesn't allow namespaces and packet rules.
    pub fn make() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            testkit::skip("root, for network namespaces");
            return None;
        }
        // One per test process; the address space is 10.231.0.0/16 in pieces of eight.
        let number = std::process::id() % 8192;
        let address = |host: u32| {
            let low = number * 8 + host;
            format!("10.231.{}.{}", low / 256, low % 256)
        };
        let segment = Self {
            name: format!("trn{number}"),
            here: address(1),
            runner: address(6),
        };
        segment.remove();
        if let Err(complaint) = segment.lay(&address(2), &address(5), &address(4)) {
            testkit::skip(&format!("network namespaces with rules: {complaint}"));
            return None;
        }
        Some(segment)
    }

    fn lay(&self, near: &str, far: &str, net: &str) -> Result<(), String> {
        let (name, here, runner) = (&self.name, &self.here, &self.runner);
        let router = self.router();
        run(&format!("ip netns add {router}"))?;
        run(&format!("ip netns add {name}"))?;
        let ends = format!("ip link add {name}a type veth peer name {name}b netns {router}");
        run(&ends)?;
        run(&format!("ip address add {here}/30 dev {name}a"))?;
        run(&format!("ip link set {name}a up"))?;
        run(&format!("ip route add {net}/30 via {near} dev {name}a"))?;
        let ends =
            format!("ip -n {router} link add {name}c type veth peer name {name}d netns {name}");
        run(&ends)?;
        for (namespace, device, address) in [
            (&router, "b", near),
            (&router, "c", far),
            (name, "d", runner.as_str()),
        ] {
            let device = format!("{name}{device}");
            run(&format!(
                "ip -n {namespace} address add {address}/30 dev {device}"
            ))?;
            run(&format!("ip -n {namespace} link set {device} up"))?;
            run(&format!("ip -n {namespace} link set lo up"))?;
        }
        run(&format!("ip -n {name} route add default via {far}"))?;
        run(&format!(
            "ip netns exec {router} sh -c \"echo 1 > /proc/sys/net/ipv4/ip_forward\""
        ))?;
        run(&format!("ip netns exec {router} iptables -w -L FORWARD"))
    }

    /// This machine's address, as the runner sees it.
    pub fn here(&self) -> &str {
        &self.here
    }

    /// Puts a process into the runner's namespace; nothing but the network is another one there.
    pub(crate) fn launcher(&self) -> Vec<String> {
        let network = format!("--net=/var/run/netns/{}", self.name);
        vec!["nsenter".to_owned(), network]
    }

    fn router(&self) -> String {
        format!("{}r", self.name)
    }

    /// Drops every packet of these protocols that goes to or comes from `port`.
    pub fn cut(&self, protocols: &[&str], port: u16) {
        self.rule("-I", protocols, port);
    }

    /// Lets them through again.
    pub fn mend(&self, protocols: &[&str], port: u16) {
        self.rule("-D", protocols, port);
    }

    fn rule(&self, action: &str, protocols: &[&str], port: u16) {
        let router = self.router();
        for protocol in protocols {
            for side in ["--dport", "--sport"] {
                run(&format!(
                    "ip netns exec {router} iptables -w {action} FORWARD -p {protocol} {side} {port} -j DROP"
                ))
                .unwrap();
            }
        }
    }

    /// Makes the link to and from `port` a bad one.
    pub fn worsen(&self, port: u16, delay_ms: u32, loss: f64, mbit: u32) -> BadLink {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.router()])
            .arg(Tree::here().binaries().join("netbox"))
            .args(["--chain", "FORWARD"]);
        for protocol in ["udp", "tcp"] {
            for side in ["--dport", "--sport"] {
                command.arg(format!("--rule=-p {protocol} {side} {port}"));
            }
        }
        command.arg(format!("--delay-ms={delay_ms}"));
        command.arg(format!("--loss={loss}"));
        command.arg(format!("--mbit={mbit}"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        assert_eq!(first.trim(), "ready", "netbox could not start");
        BadLink {
            child,
            input,
            output,
        }
    }

    fn remove(&self) {
        for namespace in [&self.router(), &self.name] {
            // What isn't there can't be removed; the interfaces go with their namespaces.
            let _ = run(&format!("ip netns delete {namespace}"));
        }
        let _ = run(&format!("ip link delete {}a", self.name));
    }
}

impl BadLink {
    /// Packets that came so far, and how many of them were lost by chance.
    pub fn counts(&mut self) -> (u64, u64) {
        self.input.as_mut().unwrap().write_all(b"stats\n").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let counts: serde_json::Value = serde_json::from_str(&line).unwrap();
        let number = |name: &str| counts[name].as_u64().unwrap();
        (number("packets"), number("lost"))
    }
}

impl Drop for BadLink {
    fn drop(&mut self) {
        // The end of its input ends it, and with it its rules.
        self.input.take();
        let _ = self.child.wait();
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Runs one command of the shell; its complaint if it fails.
fn run(line: &str) -> Result<(), String> {
    let output = Command::new("sh")
        .args(["-c", line])
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{line}: {complaint}"))
}
