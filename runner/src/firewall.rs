//! Keeps steps away from the address where clouds keep a machine's own credentials.
//!
//! One table of nftables, `inet terrane`, shared by all runners of a machine: what the users of steps
//! send (`meta skuid`) and what comes in from the bridges of containers is refused when it is for a
//! metadata address. Loading it again changes nothing, so it is loaded before every step and heals
//! what a reload of the machine's firewall has flushed. It stays when the runner ends, as steps do.
//!
//! Decided against a network namespace per step with a pair of interfaces: it needs an address range,
//! forwarding and masquerading on the operator's machine, and breaks the relay's loopback address;
//! the user of a step can't be shed (no new privileges, no user namespaces), so a rule by user is as
//! strong. Decided against a rule in `DOCKER-USER`: it sees forwarded packets only, and some metadata
//! services listen on the machine itself; the rule here comes before routing and before any
//! redirection.

use std::fmt::Write;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::machine::find_program;

/// Amazon, Google, Azure, OpenStack and most others; Amazon's second one.
const ADDRESSES: [(&str, &str); 2] = [("ip", "169.254.169.254"), ("ip6", "fd00:ec2::254")];
const PATIENCE: Duration = Duration::from_secs(20);
/// Answers at once; kernels before 5.9 can't say so before routing and drop instead.
const REFUSALS: [&str; 2] = ["reject with icmpx admin-prohibited", "drop"];

/// Why the address stays reachable.
#[derive(Debug, thiserror::Error)]
pub enum FirewallError {
    #[error("nft can't be started")]
    Start(#[source] io::Error),
    #[error("nft did not end")]
    Time,
    #[error("nft refuses the rules: {0}")]
    Refused(String),
}

/// The machine's packet filter, if this runner may change it.
#[derive(Debug, Clone)]
pub struct Firewall {
    nft: PathBuf,
    /// On some clouds the same address resolves names; without that a job reaches nothing at all.
    resolves_names: bool,
}

/// Whom to keep away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom<'a> {
    Users(Range<u32>),
    /// Everything that comes in from this interface.
    Bridge(&'a str),
}

impl Firewall {
    /// The filter of this machine; a sentence for people if there is none to use.
    ///
    /// # Errors
    /// What is missing.
    pub fn find() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root may change the machine's packet filter".to_owned());
        }
        let nft = find_program("nft").ok_or("nft is not installed (package nftables)")?;
        let resolvers = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Ok(Self {
            nft,
            resolves_names: is_resolver(&resolvers),
        })
    }

    /// Puts the rules in place, for everyone before and for `whom` too.
    ///
    /// # Errors
    /// [`FirewallError`]; nothing has changed then.
    pub async fn keep_away(&self, whom: &Whom<'_>) -> Result<(), FirewallError> {
        let mut answer = Ok(());
        for refusal in REFUSALS {
            answer = self.load(&rules(whom, refusal, self.resolves_names)).await;
            if answer.is_ok() {
                break;
            }
        }
        answer
    }

    async fn load(&self, rules: &str) -> Result<(), FirewallError> {
        let mut child = Command::new(&self.nft)
            .args(["-f", "-"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(FirewallError::Start)?;
        if let Some(mut stdin) = child.stdin.take() {
            // If it ends before it has read all, its status says why.
            let _ = stdin.write_all(rules.as_bytes()).await;
        }
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
            .await
            .map_err(|_| FirewallError::Time)?
            .map_err(FirewallError::Start)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().next().unwrap_or("it does not say why");
        Err(FirewallError::Refused(first.to_owned()))
    }
}

/// Whether a process of `user` really can't send anything to the address: the supervisor tries.
pub async fn is_out_of_reach(supervisor: &Path, user: u32) -> bool {
    for (family, address) in ADDRESSES {
        let target = match family {
            "ip6" => format!("[{address}]:80"),
            _ => format!("{address}:80"),
        };
        let tried = Command::new(supervisor)
            .args(["--try", "address", &target])
            .env_clear()
            .current_dir("/")
            .uid(user)
            .gid(user)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .status();
        let held =
            matches!(tokio::time::timeout(PATIENCE, tried).await, Ok(Ok(it)) if it.success());
        if !held {
            return false;
        }
    }
    true
}

/// One transaction: what is there is kept, the rules are written anew.
fn rules(whom: &Whom<'_>, refusal: &str, resolves_names: bool) -> String {
    let mut text = String::from(
        "add table inet terrane\n\
         add set inet terrane users { typeof meta skuid; flags interval; auto-merge; }\n\
         add set inet terrane bridges { type ifname; }\n\
         add chain inet terrane from_steps { type filter hook output priority -310; }\n\
         add chain inet terrane from_containers { type filter hook prerouting priority -310; }\n\
         flush chain inet terrane from_steps\n\
         flush chain inet terrane from_containers\n",
    );
    for (chain, source) in [
        ("from_steps", "meta skuid @users"),
        ("from_containers", "iifname @bridges"),
    ] {
        for (family, address) in ADDRESSES {
            let whole = format!("add rule inet terrane {chain} {source} {family} daddr {address}");
            if resolves_names && family == "ip" {
                let _ = writeln!(
                    text,
                    "{whole} meta l4proto {{ tcp, udp }} th dport 53 accept"
                );
            }
            let _ = writeln!(text, "{whole} {refusal}");
        }
    }
    let _ = match whom {
        Whom::Users(users) => writeln!(
            text,
            "add element inet terrane users {{ {}-{} }}",
            users.start,
            users.end.saturating_sub(1).max(users.start)
        ),
        Whom::Bridge(name) => {
            writeln!(text, "add element inet terrane bridges {{ \"{name}\" }}")
        }
    };
    text
}

fn is_resolver(resolv_conf: &str) -> bool {
    resolv_conf.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("nameserver") && words.next() == Some(ADDRESSES[0].1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_addresses_are_refused_to_users_and_bridges() {
        let text = rules(&Whom::Users(5..7), "drop", false);
        for line in [
            "from_steps meta skuid @users ip daddr 169.254.169.254 drop",
            "from_steps meta skuid @users ip6 daddr fd00:ec2::254 drop",
            "from_containers iifname @bridges ip daddr 169.254.169.254 drop",
            "from_containers iifname @bridges ip6 daddr fd00:ec2::254 drop",
            "users { 5-6 }",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("accept"), "{text}");
        assert!(rules(&Whom::Bridge("br-1"), "drop", false).contains("bridges { \"br-1\" }"));
    }

    #[test]
    fn names_are_still_resolved_where_the_address_does_that() {
        assert!(is_resolver("search x\nnameserver 169.254.169.254\n"));
        assert!(!is_resolver(
            "# nameserver 169.254.169.254\nnameserver 10.0.0.1\n"
        ));
        let text = rules(&Whom::Users(5..6), "drop", true);
        let open = text.find("th dport 53 accept").unwrap();
        assert!(open < text.find("169.254.169.254 drop").unwrap(), "{text}");
    }
}
