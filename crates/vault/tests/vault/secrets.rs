//! Small secrets, wrapped keys, signatures.

use proptest::prelude::*;
use vault::{DataKey, Error, InstallationKey, KeyId, Keyring, secret};

use crate::{ELSEWHERE, HOME, damaged};

proptest! {
    #[test]
    fn a_secret_comes_back(plaintext: Vec<u8>) {
        let key = DataKey::generate();
        let sealed = secret::seal(&key, &HOME, &plaintext);
        prop_assert_eq!(sealed.len(), plaintext.len() + secret::OVERHEAD);
        prop_assert_eq!(secret::key_of(&sealed).unwrap(), key.id());
        let opened = secret::open(&key, &HOME, &sealed).unwrap();
        prop_assert_eq!(opened.expose(), &plaintext);
    }

    #[test]
    fn junk_is_refused(junk: Vec<u8>) {
        prop_assert!(secret::open(&DataKey::generate(), &HOME, &junk).is_err());
    }
}

#[test]
fn any_damage_is_refused() {
    let key = DataKey::generate();
    for bytes in damaged(&secret::seal(&key, &HOME, b"hunter2")) {
        assert!(secret::open(&key, &HOME, &bytes).is_err());
    }
}

#[test]
fn a_secret_in_another_ones_place_is_refused() {
    let key = DataKey::generate();
    let sealed = secret::seal(&key, &HOME, b"hunter2");
    for context in ELSEWHERE {
        assert!(matches!(
            secret::open(&key, &context, &sealed),
            Err(Error::Tampered)
        ));
    }
    let other = secret::open(&DataKey::generate(), &HOME, &sealed);
    assert!(matches!(other, Err(Error::WrongKey { .. })));
}

#[test]
fn the_same_secret_never_looks_the_same() {
    let key = DataKey::generate();
    assert_ne!(
        secret::seal(&key, &HOME, b"x"),
        secret::seal(&key, &HOME, b"x")
    );
}

#[test]
fn a_secret_moves_to_a_new_key() {
    let (old, new) = (DataKey::generate(), DataKey::generate());
    let sealed = secret::seal(&old, &HOME, b"hunter2");
    let moved = secret::reseal(&old, &new, &HOME, &sealed).unwrap();
    assert_eq!(
        secret::open(&new, &HOME, &moved).unwrap().expose(),
        b"hunter2"
    );
    assert!(secret::open(&old, &HOME, &moved).is_err());
}

#[test]
fn a_wrapped_key_opens_what_it_sealed() {
    let keyring = Keyring::new(InstallationKey::generate(), vec![]);
    let key = DataKey::generate();
    let sealed = secret::seal(&key, &HOME, b"hunter2");
    let wrapped = keyring.wrap("acc-1", &key);
    let unwrapped = keyring.unwrap("acc-1", key.id(), &wrapped).unwrap();
    assert_eq!(
        secret::open(&unwrapped, &HOME, &sealed).unwrap().expose(),
        b"hunter2"
    );

    assert!(keyring.unwrap("acc-2", key.id(), &wrapped).is_err());
    assert!(
        keyring
            .unwrap("acc-1", DataKey::generate().id(), &wrapped)
            .is_err()
    );
    for bytes in damaged(&wrapped) {
        assert!(keyring.unwrap("acc-1", key.id(), &bytes).is_err());
    }
}

#[test]
fn rotation_of_the_installation_key() {
    let (old, new) = (InstallationKey::generate(), InstallationKey::generate());
    let before = Keyring::new(old.clone(), vec![]);
    let key = DataKey::generate();
    let wrapped = before.wrap("acc-1", &key);
    let ca = before.seal(&HOME, b"private key");
    let signature = before.signer("urls").sign(b"path");

    let during = Keyring::new(new.clone(), vec![old]);
    assert!(during.unwrap("acc-1", key.id(), &wrapped).is_ok());
    assert!(during.signer("urls").verify(b"path", &signature));
    let rewrapped = during.rewrap("acc-1", key.id(), &wrapped).unwrap().unwrap();
    assert!(
        during
            .rewrap("acc-1", key.id(), &rewrapped)
            .unwrap()
            .is_none()
    );
    let resealed = during.reseal(&HOME, &ca).unwrap().unwrap();

    let after = Keyring::new(new, vec![]);
    assert!(after.unwrap("acc-1", key.id(), &rewrapped).is_ok());
    assert_eq!(
        after.open(&HOME, &resealed).unwrap().expose(),
        b"private key"
    );
    let lost = after.unwrap("acc-1", key.id(), &wrapped);
    assert!(matches!(lost, Err(Error::UnknownKey { id }) if id == before.current()));
    assert!(!after.signer("urls").verify(b"path", &signature));
}

#[test]
fn signatures_are_for_one_message_and_one_purpose() {
    let keyring = Keyring::new(InstallationKey::generate(), vec![]);
    let signer = keyring.signer("urls");
    let signature = signer.sign(b"path");
    assert!(signer.verify(b"path", &signature));
    assert!(!signer.verify(b"path2", &signature));
    assert!(!keyring.signer("cookies").verify(b"path", &signature));
    for bytes in damaged(&signature) {
        assert!(!signer.verify(b"path", &bytes));
    }
}

#[test]
fn key_ids_are_text_and_back() {
    let id = DataKey::generate().id();
    assert_eq!(id.to_string().parse::<KeyId>().unwrap(), id);
    for junk in ["", "xyz", &"a".repeat(31), &"a".repeat(34)] {
        assert!(junk.parse::<KeyId>().is_err(), "{junk}");
    }
}
