//! The iptables rules that send packets to the queue; they go away with the value.

use std::process::Command;

use anyhow::{Context, bail};

/// Rules in place.
pub(crate) struct Rules {
    chain: String,
    rules: Vec<Vec<String>>,
}

/// Puts one rule for each match in front of the chain.
pub(crate) fn insert(chain: &str, matches: &[String], queue: u16) -> anyhow::Result<Rules> {
    let mut placed = Rules {
        chain: chain.to_owned(),
        rules: Vec::new(),
    };
    for text in matches {
        let mut rule: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        rule.extend(["-j", "NFQUEUE", "--queue-num"].map(str::to_owned));
        rule.push(queue.to_string());
        iptables("-I", chain, &rule)?;
        placed.rules.push(rule);
    }
    Ok(placed)
}

impl Drop for Rules {
    fn drop(&mut self) {
        for rule in &self.rules {
            if let Err(error) = iptables("-D", &self.chain, rule) {
                eprintln!("netbox: {error:#}");
            }
        }
    }
}

fn iptables(action: &str, chain: &str, rule: &[String]) -> anyhow::Result<()> {
    let output = Command::new("iptables")
        .args(["-w", action, chain])
        .args(rule)
        .output()
        .context("can't run iptables")?;
    if !output.status.success() {
        bail!(
            "iptables: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
