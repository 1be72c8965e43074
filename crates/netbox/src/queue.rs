//! The packets themselves: taken from the kernel's queue, held, given back.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, TryRecvError};
use std::time::{Duration, Instant};

use anyhow::Context;
use nfq::{Message, Queue, Verdict};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::commands::Command;
use crate::link::{Counts, Fate, Link};

/// What the kernel may hold for us; more is dropped by it.
const KERNEL_QUEUE: u32 = 100_000;
/// Headers are enough to decide on.
const COPY_BYTES: u16 = 64;
/// The crate shows no descriptor to wait on, so the loop looks again after this.
const PAUSE: Duration = Duration::from_micros(100);

pub(crate) fn open(number: u16) -> anyhow::Result<Queue> {
    let opened = Queue::open().and_then(|mut queue| {
        queue.bind(number)?;
        queue.set_queue_max_len(number, KERNEL_QUEUE)?;
        queue.set_copy_range(number, COPY_BYTES)?;
        queue.set_nonblocking(true);
        Ok(queue)
    });
    opened.with_context(|| {
        format!("can't open NFQUEUE {number}: it needs root and a kernel that has it")
    })
}

/// Impairs until the channel of commands closes, then lets go of everything held.
pub(crate) fn run(
    mut queue: Queue,
    mut link: Link,
    seed: u64,
    commands: &mpsc::Receiver<Command>,
) -> anyhow::Result<Counts> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut held = Held::default();
    loop {
        match commands.try_recv() {
            Ok(Command::Stats) => crate::say(&serde_json::to_string(&link.counts)?)?,
            Ok(command) => command.apply(&mut link.settings),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => break,
        }
        let taken = take(&mut queue, &mut link, &mut random, &mut held)?;
        let given = held.release(&mut queue, Some(Instant::now()))?;
        if !taken && !given {
            std::thread::sleep(PAUSE);
        }
    }
    held.release(&mut queue, None)?;
    Ok(link.counts)
}

/// Takes what waits in the kernel; says whether there was anything.
fn take(
    queue: &mut Queue,
    link: &mut Link,
    random: &mut StdRng,
    held: &mut Held,
) -> anyhow::Result<bool> {
    let mut any = false;
    loop {
        let message = match queue.recv() {
            Ok(message) => message,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(any),
            Err(error) => return Err(error).context("can't read packets from the queue"),
        };
        any = true;
        match link.arrive(message.get_original_len(), Instant::now(), random.random()) {
            Fate::Deliver(at) => held.hold(at, message),
            Fate::Drop => give(queue, message, Verdict::Drop)?,
        }
    }
}

/// Packets by the time they go on; the number keeps those of one instant in order.
#[derive(Default)]
struct Held {
    packets: BTreeMap<(Instant, u64), Message>,
    number: u64,
}

impl Held {
    fn hold(&mut self, at: Instant, message: Message) {
        self.number += 1;
        self.packets.insert((at, self.number), message);
    }

    /// Gives back what is due (everything without a time); says whether there was anything.
    fn release(&mut self, queue: &mut Queue, now: Option<Instant>) -> anyhow::Result<bool> {
        let mut any = false;
        while let Some(entry) = self.packets.first_entry() {
            if now.is_some_and(|now| entry.key().0 > now) {
                break;
            }
            any = true;
            give(queue, entry.remove(), Verdict::Accept)?;
        }
        Ok(any)
    }
}

fn give(queue: &mut Queue, mut message: Message, verdict: Verdict) -> anyhow::Result<()> {
    message.set_verdict(verdict);
    queue.verdict(message).context("can't give a packet back")
}
