//! A bad network in a box, for the fault tests: delay, loss, a narrow link with a short queue, or
//! nothing at all, for the packets of one network namespace.
//!
//! Made because the usual tool, `netem`, is a kernel module that many machines lack. Packets go
//! through an NFQUEUE to this process, which holds or drops them. It hooks INPUT, or FORWARD of a
//! namespace that routes between two others; never OUTPUT, where the held packets would count
//! against the sender's own buffers and throttle it falsely. On INPUT each direction is impaired in
//! the namespace that receives it (on the loopback of one namespace a single box impairs both), on
//! FORWARD one box impairs both. Never run it in a namespace that matters: needs root, `iptables`
//! and the kernel's NFQUEUE target.
//!
//! ```text
//! ip netns exec a netbox --rule "-p udp --dport 8444" --delay-ms 10 --loss 0.003 --mbit 100
//! ```
//!
//! It prints `ready` when the rule is in place. Lines on standard input change it while it runs:
//! `delay-ms 50`, `loss 1`, `mbit 0` (no limit), `stats`. At the end of the input it takes its
//! rules away, prints its counts as one JSON line, and ends.

mod commands;
mod link;
mod queue;
mod rules;

use std::io::{Write, stdout};

use clap::Parser;

use crate::link::{Link, Settings};

#[derive(Parser)]
#[command(about = "Delays, drops and paces the packets that a network namespace receives")]
struct Arguments {
    /// What to impair: iptables match arguments, e.g. "-p udp --dport 8444". May be repeated.
    /// Without one no rule is made; then a rule of your own must send packets to the queue.
    #[arg(long, allow_hyphen_values = true)]
    rule: Vec<String>,
    /// Where the packets are taken.
    #[arg(long, default_value = "INPUT", value_parser = ["INPUT", "FORWARD"])]
    chain: String,
    /// Number of the NFQUEUE.
    #[arg(long, default_value_t = 1)]
    queue: u16,
    #[command(flatten)]
    settings: Settings,
    /// Makes the losses of a test repeatable.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let queue = queue::open(arguments.queue)?;
    let _rules = rules::insert(&arguments.chain, &arguments.rule, arguments.queue)?;
    say("ready")?;
    let link = Link::new(arguments.settings);
    let counts = queue::run(queue, link, arguments.seed, &commands::listen())?;
    say(&serde_json::to_string(&counts)?)
}

/// One line on standard output, seen at once by whoever waits for it.
fn say(line: &str) -> anyhow::Result<()> {
    let mut output = stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}
