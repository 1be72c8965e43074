//! Every state that terraform writes, kept where no crash can tear it.
//!
//! terraform's local backend truncates its state file and writes it anew at each change: whoever
//! kills it in between leaves an empty or torn file. So each whole state is sealed and put on the
//! disk beside it. Decided against watching with inotify: its instances are few per user, and a
//! poll of one file's times costs nothing.

mod head;
mod rules;
mod seal;
mod store;
mod watch;

use std::io;
use std::sync::Arc;

use step::{JournalEntry, StateSpec};

pub(crate) use head::{Hashes, Head};
pub(crate) use rules::{Refusal, Rules, Verdict};
pub(crate) use seal::Seal;
pub(crate) use watch::{Look, Watch};

use crate::disk::Disk;
use crate::paths::Root;

/// The largest state that is read into memory, in bytes.
pub(crate) const LARGEST_STATE: u64 = 512 << 20;

/// The journal of one step.
#[derive(Debug)]
pub(crate) struct Journal {
    root: Arc<Root>,
    disk: Arc<Disk>,
    seal: Seal,
    rules: Rules,
    last: Option<JournalEntry>,
    errored: Option<JournalEntry>,
    refused: Option<String>,
}

/// What became of bytes that were offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// They are in the journal, on the disk.
    Taken,
    /// They are the state that is known already.
    Known,
    Refused(Refusal),
    /// They are no whole state.
    Torn,
}

impl Journal {
    /// # Errors
    /// A sentence for people if `spec` can't be used.
    pub(crate) fn new(root: Arc<Root>, disk: Arc<Disk>, spec: &StateSpec) -> Result<Self, String> {
        let rules = Rules::new(spec.lineage.clone(), spec.base_serial);
        let seal = Seal::new(spec)?;
        Ok(Self {
            root,
            disk,
            seal,
            rules,
            last: None,
            errored: None,
            refused: None,
        })
    }

    /// Takes `state` if it is whole and newer than all before it.
    ///
    /// # Errors
    /// The file system's own, after the ballast has been released and another try made if the disk
    /// was full. The state can be offered again.
    pub(crate) fn offer(&mut self, state: &[u8]) -> io::Result<Offer> {
        let Some(head) = Head::parse(state) else {
            return Ok(Offer::Torn);
        };
        let hashes = Hashes::of(state);
        match self.rules.judge(&head, &hashes.sha256_hex) {
            Verdict::New => {}
            Verdict::Known => {
                self.refused = None;
                return Ok(Offer::Known);
            }
            Verdict::Refused(refusal) => {
                self.refused = Some(refusal.to_string());
                return Ok(Offer::Refused(refusal));
            }
        }
        let entry = self.entry(&head, hashes, state);
        let written = self
            .disk
            .with_room(|| store::append(&self.root, &self.seal, &entry, state));
        if let Err(error) = written {
            self.refused = Some(format!("it could not be written to the journal: {error}"));
            return Err(error);
        }
        if let Err(error) = self
            .disk
            .with_room(|| store::put_snapshot(&self.root, &entry, state))
        {
            eprintln!("terrane-supervisor: the snapshot for upload could not be written: {error}");
        }
        self.rules.taken(&head, &entry.sha256_hex);
        self.last = Some(entry);
        self.refused = None;
        Ok(Offer::Taken)
    }

    /// Takes a state that terraform put aside because it could not write it to its backend.
    ///
    /// # Errors
    /// As [`Journal::offer`].
    pub(crate) fn offer_errored(&mut self, state: &[u8]) -> io::Result<Offer> {
        let Some(head) = Head::parse(state) else {
            return Ok(Offer::Torn);
        };
        if let Verdict::Refused(refusal) = self.rules.judge_errored(&head) {
            self.refused = Some(refusal.to_string());
            return Ok(Offer::Refused(refusal));
        }
        let entry = self.entry(&head, Hashes::of(state), state);
        if self
            .last
            .as_ref()
            .is_some_and(|last| last.sha256_hex == entry.sha256_hex)
        {
            return Ok(Offer::Known);
        }
        self.disk
            .with_room(|| store::put_errored(&self.root, &self.seal, &entry, state))?;
        if let Err(error) = self
            .disk
            .with_room(|| store::put_errored_snapshot(&self.root, &entry, state))
        {
            eprintln!("terrane-supervisor: the snapshot for upload could not be written: {error}");
        }
        self.errored = Some(entry);
        Ok(Offer::Taken)
    }

    /// Newest entry.
    pub(crate) fn last(&self) -> Option<&JournalEntry> {
        self.last.as_ref()
    }

    pub(crate) fn errored(&self) -> Option<&JournalEntry> {
        self.errored.as_ref()
    }

    /// Why the state seen last is not in the journal.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    fn entry(&self, head: &Head, hashes: Hashes, state: &[u8]) -> JournalEntry {
        JournalEntry {
            serial: head.serial,
            lineage: head.lineage.clone(),
            size: state.len() as u64,
            sha256_hex: hashes.sha256_hex,
            md5_hex: hashes.md5_hex,
            key_id: self.seal.key_id.clone(),
        }
    }
}
