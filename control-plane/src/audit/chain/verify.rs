//! Proves an export, with nothing but the export.
//!
//! Reads what any version has written: whatever stands in a line is hashed, known or not.

use std::io::{self, BufRead};

use domain::ids::AccountId;
use serde_json::{Map, Value};

use super::entry::{digest_of, genesis};
use super::retention::REMOVED;

/// Longer lines are none of ours.
const LONGEST_LINE: u64 = 16 << 20;

/// What was found to be true of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub account: String,
    pub records: u64,
    pub first: i64,
    pub last: i64,
    /// The hash of the last record: all before it hangs on it.
    pub hash: String,
}

/// The first record that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Counted from 1.
    pub line: u64,
    pub id: String,
    pub sequence: Option<i64>,
    pub reason: String,
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the file can't be read")]
    Read(#[from] io::Error),
    #[error("the file holds no records")]
    Empty,
    #[error(
        "line {}: the record {} (sequence {}) is broken: {}",
        .0.line, .0.id, .0.sequence.map_or_else(|| "unknown".to_owned(), |it| it.to_string()), .0.reason
    )]
    Broken(Box<Broken>),
}

/// Where a chain stands after a record.
struct Link {
    account: String,
    sequence: i64,
    hash: String,
}

/// What an export begins after, until a record in it says that it was removed.
struct Begin {
    line: u64,
    id: String,
    sequence: i64,
    previous: String,
    explained: bool,
}

/// Reads an export as JSON lines, in the order in which it was written, and proves its chain.
///
/// # Errors
/// [`VerifyError::Broken`] names the first record that is not as it was sealed.
pub fn verify(input: &mut impl BufRead) -> Result<Proof, VerifyError> {
    let mut last: Option<Link> = None;
    let mut begin: Option<Begin> = None;
    let mut records = 0;
    let mut number = 0;
    while let Some(line) = next_line(input)? {
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record: Map<String, Value> = serde_json::from_slice(&line).map_err(|_| {
            broken(
                number,
                &Map::new(),
                "it is no JSON object; the file is no export as JSON lines",
            )
        })?;
        let link =
            check(&record, last.as_ref()).map_err(|reason| broken(number, &record, reason))?;
        let begin = begin.get_or_insert_with(|| Begin {
            line: number,
            id: text(&record, "id").to_owned(),
            sequence: link.sequence,
            previous: text(&record, "previous").to_owned(),
            explained: link.sequence == 1,
        });
        begin.explained |= explains(&record, begin);
        records += 1;
        last = Some(link);
    }
    let (Some(last), Some(begin)) = (last, begin) else {
        return Err(VerifyError::Empty);
    };
    if !begin.explained {
        return Err(VerifyError::Broken(Box::new(Broken {
            line: begin.line,
            id: begin.id,
            sequence: Some(begin.sequence),
            reason: format!(
                "records are missing before it: no record says that those up to {} were removed",
                begin.sequence - 1
            ),
        })));
    }
    Ok(Proof {
        account: last.account,
        records,
        first: begin.sequence,
        last: last.sequence,
        hash: last.hash,
    })
}

fn next_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    io::Read::take(&mut *input, LONGEST_LINE).read_until(b'\n', &mut line)?;
    Ok((!line.is_empty()).then_some(line))
}

fn text<'a>(record: &'a Map<String, Value>, key: &str) -> &'a str {
    record.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn broken(line: u64, record: &Map<String, Value>, reason: impl Into<String>) -> VerifyError {
    VerifyError::Broken(Box::new(Broken {
        line,
        id: text(record, "id").to_owned(),
        sequence: record.get("sequence").and_then(Value::as_i64),
        reason: reason.into(),
    }))
}

/// Whether a record says that everything before the export was removed.
fn explains(record: &Map<String, Value>, begin: &Begin) -> bool {
    let detail = &record["detail"];
    text(record, "action") == REMOVED
        && detail["through"].as_i64() == Some(begin.sequence - 1)
        && detail["hash"].as_str() == Some(&begin.previous)
}

/// Checks one record against the one before it.
fn check(record: &Map<String, Value>, last: Option<&Link>) -> Result<Link, String> {
    let sequence = record.get("sequence").and_then(Value::as_i64);
    let sequence = sequence.ok_or("it has no place in the chain")?;
    let (account, hash) = (text(record, "account"), text(record, "hash"));
    let previous = text(record, "previous");
    let expected = match last {
        Some(last) if last.account != account => {
            return Err("it is of another account than the record before it".to_owned());
        }
        Some(last) if last.sequence + 1 != sequence => {
            return Err(format!(
                "the record with the sequence {} should be here: records are missing, or were moved",
                last.sequence + 1
            ));
        }
        Some(last) => Some(last.hash.clone()),
        None if sequence == 1 => account.parse::<AccountId>().ok().map(|it| genesis(&it)),
        None => None,
    };
    if expected.is_some_and(|it| it != previous) {
        return Err("it does not follow the record before it".to_owned());
    }
    let mut hashed = record.clone();
    hashed.remove("hash");
    let found = digest_of(&hashed).map_err(|_| "it can't be hashed".to_owned())?;
    if found != hash {
        return Err("its content is not what was sealed: the hash is another one".to_owned());
    }
    Ok(Link {
        account: account.to_owned(),
        sequence,
        hash: found,
    })
}
