//! Sealing to a public key.

use std::io::{self, Read};

use proptest::prelude::*;
use vault::sealed::{
    HEADER_LENGTH, RecipientKey, RecipientPublicKey, open_with, recipient_of, seal_to,
};
use vault::{Context, Error, Result};

use crate::{ELSEWHERE, HOME, damaged};

const CHUNK: usize = 64 * 1024;

fn seal(key: &RecipientKey, plaintext: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    let size = seal_to(key.public(), &HOME, plaintext, &mut sealed).unwrap();
    assert_eq!(size, plaintext.len() as u64);
    sealed
}

fn open(key: &RecipientKey, context: &Context<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
    let mut plaintext = Vec::new();
    let size = open_with(key, context, sealed, &mut plaintext)?;
    assert_eq!(size, plaintext.len() as u64);
    Ok(plaintext)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_was_sealed_comes_back(plaintext: Vec<u8>) {
        let key = RecipientKey::generate();
        let sealed = seal(&key, &plaintext);
        prop_assert_eq!(recipient_of(&sealed).unwrap(), key.id());
        prop_assert_eq!(open(&key, &HOME, &sealed).unwrap(), plaintext);
    }

    #[test]
    fn junk_is_refused(junk: Vec<u8>) {
        prop_assert!(open(&RecipientKey::generate(), &HOME, &junk).is_err());
    }
}

#[test]
fn sizes_around_the_chunks_come_back() {
    let key = RecipientKey::generate();
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17] {
        let plaintext: Vec<u8> = (0..size).map(|n| n as u8).collect();
        assert_eq!(
            open(&key, &HOME, &seal(&key, &plaintext)).unwrap(),
            plaintext,
            "{size}"
        );
    }
}

#[test]
fn any_damage_is_refused() {
    let key = RecipientKey::generate();
    let sealed = seal(&key, b"state");
    for (n, bytes) in damaged(&sealed).enumerate() {
        assert!(open(&key, &HOME, &bytes).is_err(), "{n}");
    }
}

#[test]
fn chunks_can_not_be_left_out_moved_or_cut_off() {
    let key = RecipientKey::generate();
    let sealed = seal(&key, &vec![9; 3 * CHUNK]);
    let record = 4 + CHUNK + 16;
    let chunk = |n: usize| &sealed[HEADER_LENGTH + n * record..HEADER_LENGTH + (n + 1) * record];
    let header = &sealed[..HEADER_LENGTH];
    for chunks in [
        vec![chunk(0), chunk(1)],
        vec![chunk(0), chunk(2)],
        vec![chunk(1), chunk(0), chunk(2)],
        vec![chunk(0), chunk(1), chunk(2), chunk(2)],
        vec![],
    ] {
        let bytes = [header, &chunks.concat()].concat();
        assert!(open(&key, &HOME, &bytes).is_err());
    }
    // A chunk that is made to look like the last one.
    let mut shortened = [header, chunk(0), chunk(1)].concat();
    shortened[HEADER_LENGTH + record] |= 0x80;
    assert!(matches!(
        open(&key, &HOME, &shortened),
        Err(Error::Tampered)
    ));
}

#[test]
fn only_the_recipient_opens_and_only_in_place() {
    let key = RecipientKey::generate();
    let sealed = seal(&key, b"state");
    for context in ELSEWHERE {
        assert!(matches!(
            open(&key, &context, &sealed),
            Err(Error::Tampered)
        ));
    }
    let other = RecipientKey::generate();
    assert!(matches!(
        open(&other, &HOME, &sealed),
        Err(Error::WrongKey { .. })
    ));
}

#[test]
fn keys_are_kept_and_sent() {
    let key = RecipientKey::generate();
    let kept = RecipientKey::from_bytes(key.to_bytes().expose()).unwrap();
    let sent: RecipientPublicKey = kept.public().to_string().parse().unwrap();
    assert_eq!(&sent, key.public());
    let mut sealed = Vec::new();
    seal_to(&sent, &HOME, &b"state"[..], &mut sealed).unwrap();
    assert_eq!(open(&kept, &HOME, &sealed).unwrap(), b"state");
    assert!("nonsense".parse::<RecipientPublicKey>().is_err());
    assert!(RecipientKey::from_bytes(b"short").is_err());
}

#[test]
fn a_key_without_a_private_half_is_refused() {
    let low_order = RecipientPublicKey::from_bytes(&[0; 32]);
    let result = low_order.and_then(|key| seal_to(&key, &HOME, &b"x"[..], Vec::new()));
    assert!(matches!(result, Err(Error::KeyText)), "{result:?}");
}

#[test]
fn a_failing_reader_or_writer_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    let key = RecipientKey::generate();
    let sealed = seal_to(key.public(), &HOME, Broken, Vec::new());
    assert!(matches!(sealed, Err(Error::Io { .. })));
    let mut small = [0; 10];
    let sealed = seal_to(key.public(), &HOME, &b"x"[..], &mut small[..]);
    assert!(matches!(sealed, Err(Error::Io { .. })));
}
