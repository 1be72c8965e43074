//! What an earlier release sealed must open for ever: samples of every format, kept in
//! `tests/golden/` as hexadecimal text.

use std::fs;
use std::path::PathBuf;

use vault::chunks::{Decoder, Encoder};
use vault::sealed::{RecipientKey, open_with, seal_to};
use vault::{DataKey, InstallationKey, KeyId, Keyring, secret};

use crate::HOME;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn read(name: &str) -> Vec<u8> {
    hex::decode(fs::read_to_string(path(name)).unwrap().trim()).unwrap()
}

fn keyring() -> Keyring {
    let key = fs::read_to_string(path("installation.key")).unwrap();
    Keyring::new(InstallationKey::parse(&key).unwrap(), vec![])
}

fn data_key() -> DataKey {
    let id = KeyId::from_bytes(read("data-key-id").try_into().unwrap());
    keyring()
        .unwrap(HOME.account, id, &read("data-key"))
        .unwrap()
}

/// Three chunks of 64 bytes: one that compresses, one that doesn't, a short one.
fn object_content() -> Vec<u8> {
    let uneven = (0..64_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
    [vec![b'a'; 64], uneven.collect(), b"the end".to_vec()].concat()
}

#[test]
fn samples_of_version_1_open() {
    let key = data_key();
    assert_eq!(
        secret::open(&key, &HOME, &read("secret")).unwrap().expose(),
        b"hunter2"
    );

    let mut decoder = Decoder::new(&key, HOME);
    decoder.feed(&read("object"));
    let mut content = Vec::new();
    while let Some(chunk) = decoder.next_chunk().unwrap() {
        content.extend(chunk);
    }
    decoder.finish().unwrap();
    assert_eq!(content, object_content());

    let recipient = keyring().open(&HOME, &read("recipient-key")).unwrap();
    let recipient = RecipientKey::from_bytes(recipient.expose()).unwrap();
    let mut content = Vec::new();
    open_with(&recipient, &HOME, read("sealed").as_slice(), &mut content).unwrap();
    assert_eq!(content, b"journal");

    assert!(keyring().signer("urls").verify(b"path", &read("signature")));
}

#[test]
#[ignore = "writes the samples anew: only for a new version of a format, beside the old ones"]
fn write_samples() {
    let write =
        |name: &str, bytes: &[u8]| fs::write(path(name), hex::encode(bytes) + "\n").unwrap();
    let installation = InstallationKey::generate();
    fs::write(
        path("installation.key"),
        installation.to_text().expose().as_str(),
    )
    .unwrap();
    let keyring = Keyring::new(installation, vec![]);
    let key = DataKey::generate();
    write("data-key-id", key.id().as_bytes());
    write("data-key", &keyring.wrap(HOME.account, &key));
    write("secret", &secret::seal(&key, &HOME, b"hunter2"));

    let mut object = Vec::new();
    let mut encoder = Encoder::with_chunk_size(64, &key, &HOME, &mut object);
    encoder.write(&object_content(), &mut object).unwrap();
    encoder.finish(&mut object);
    write("object", &object);

    let recipient = RecipientKey::generate();
    write(
        "recipient-key",
        &keyring.seal(&HOME, recipient.to_bytes().expose()),
    );
    let mut sealed = Vec::new();
    seal_to(recipient.public(), &HOME, &b"journal"[..], &mut sealed).unwrap();
    write("sealed", &sealed);
    write("signature", &keyring.signer("urls").sign(b"path"));
}
