//! The iptables rules that send packets to the queue; they go away with the value.

use std::process::Command;

use anyhow::{Context, bail};

/// Rules in place.
pub(crate) struct Rules(Vec<Vec<String>>);

/// Puts one rule for each match in front of the INPUT chain.
pub(crate) fn insert(matches: &[String], queue: u16) -> anyhow::Result<Rules> {
    let mut rules = Rules(Vec::new());
    for text in matches {
        let mut rule: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        rule.extend(["-j", "NFQUEUE", "--queue-num"].map(str::to_owned));
        rule.push(queue.to_string());
        iptables("-I", &rule)?;
        rules.0.push(rule);
    }
    Ok(rules)
}

impl Drop for Rules {
    fn drop(&mut self) {
        for rule in &self.0 {
            if let Err(error) = iptables("-D", rule) {
                eprintln!("netbox: {error:#}");
            }
        }
    }
}

fn iptables(action: &str, rule: &[String]) -> anyhow::Result<()> {
    let output = Command::new("iptables")
        .args(["-w", action, "INPUT"])
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
