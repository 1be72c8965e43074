//! The contract with runners in the field.
//!
//! `v1.txt` holds one full message of each type as version 1 encoded it, and the methods of both
//! services. It is never edited: a runner of version 1 speaks exactly this. Whatever changes in the
//! contract, these bytes must decode and encode to the same bytes again, which no removed,
//! renumbered or retyped field survives. A new version adds a file beside it:
//! `cargo test -p protocol --test golden -- --ignored --nocapture` prints one.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod sample;
mod types;

use std::collections::BTreeMap;

const V1: &str = include_str!("v1.txt");

/// The lines of a golden file: what is named, and its value.
fn lines(file: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap())
}

#[test]
fn messages_of_version_1_still_decode_and_encode_to_the_same_bytes() {
    for (name, value) in lines(V1).filter(|(name, _)| !name.starts_with("rpc ")) {
        let bytes = hex::decode(value).unwrap();
        let again = types::recode(name, &bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            hex::encode(again),
            value,
            "{name} has lost or changed a field"
        );
    }
}

#[test]
fn methods_of_version_1_are_still_there() {
    let now: BTreeMap<String, String> = sample::methods().into_iter().collect();
    for (name, value) in lines(V1).filter(|(name, _)| name.starts_with("rpc ")) {
        assert_eq!(now.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn version_1_covers_every_message_it_had() {
    let mut named: Vec<&str> = lines(V1)
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("rpc "))
        .collect();
    named.dedup();
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        assert!(types::NAMES.contains(&name), "{name} has been removed");
    }
}

#[test]
fn this_test_knows_every_message_of_the_contract() {
    let mut contract = sample::message_names();
    contract.sort();
    let mut known: Vec<String> = types::NAMES.iter().map(|name| (*name).to_owned()).collect();
    known.sort();
    assert_eq!(known, contract, "list the new messages in types.rs");
}

/// Also what an empty message of a type means must not change: all fields have defaults.
#[test]
fn an_empty_message_decodes_as_every_type() {
    for name in types::NAMES {
        assert_eq!(
            types::recode(name, &[]).unwrap(),
            Vec::<u8>::new(),
            "{name}"
        );
    }
}

#[test]
#[ignore = "prints a golden file for a new version"]
fn print_golden_file() {
    for (name, value) in sample::methods() {
        println!("{name} {value}");
    }
    for (name, bytes) in sample::messages() {
        println!("{name} {}", hex::encode(bytes));
    }
}
