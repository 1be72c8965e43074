//! Archives, good and hostile.

use cap_std::ambient_authority;
use proptest::prelude::*;

use super::*;

const SMALL: Limits = Limits {
    bytes: 1000,
    entries: 20,
    path: 300,
    depth: 8,
};

/// One entry, written byte by byte so that no library refuses to make what is hostile.
fn entry(name: &str, kind: u8, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    let bytes = header.as_mut_bytes();
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[156] = kind;
    bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut all = header.as_bytes().to_vec();
    all.extend_from_slice(content);
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

fn unpacked(entries: &[Vec<u8>]) -> (tempfile::TempDir, Result<Unpacked, UnpackError>) {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("inner");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(outer.path().join("outside"), "untouched").unwrap();
    let target = Dir::open_ambient_dir(&path, ambient_authority()).unwrap();
    let mut archive = entries.concat();
    archive.resize(archive.len() + 1024, 0);
    let result = unpack(archive.as_slice(), &target, SMALL);
    let outside = std::fs::read_to_string(outer.path().join("outside")).unwrap();
    assert_eq!(outside, "untouched");
    (outer, result)
}

#[test]
fn an_ordinary_archive_is_unpacked() {
    let (place, result) = unpacked(&[
        entry("a/", b'5', "", b""),
        entry("a/b", b'0', "", b"hello"),
        entry("a/._b", b'0', "", b"fork"),
        entry("c", b'2', "a/b", b""),
        entry("d", b'1', "a/b", b""),
    ]);
    assert_eq!(result.unwrap(), Unpacked { files: 1, bytes: 5 });
    for name in ["a/b", "c", "d"] {
        let read = std::fs::read_to_string(place.path().join("inner").join(name));
        assert_eq!(read.unwrap(), "hello", "{name}");
    }
    assert!(!place.path().join("inner/a/._b").exists());
}

#[test]
fn hostile_entries_are_refused() {
    for hostile in [
        vec![entry("../outside", b'0', "", b"x")],
        vec![entry("/etc/x", b'0', "", b"x")],
        vec![entry("l", b'2', "../outside", b"")],
        vec![entry("l", b'2', "/etc/passwd", b"")],
        vec![entry("l", b'1', "../outside", b"")],
        vec![entry("dev", b'3', "", b"")],
        vec![entry("pipe", b'6', "", b"")],
        // Each link stays inside by its text; together they lead out.
        vec![
            entry("a/b/", b'5', "", b""),
            entry("a/b/up", b'2', "../..", b""),
            entry("l", b'2', "a/b/up/../outside", b""),
        ],
        // A file written through a link that was unpacked before.
        vec![
            entry("a/b/", b'5', "", b""),
            entry("a/b/up", b'2', "../..", b""),
            entry("l", b'2', "a/b/up/..", b""),
            entry("l/outside", b'0', "", b"x"),
        ],
        vec![entry("a/b/c/d/e/f/g/h/i/j", b'0', "", b"")],
        vec![entry("big", b'0', "", &[7; 1001])],
        vec![entry("x", b'0', "", b""); 21],
        vec![
            entry("L", b'L', "", "../outside".as_bytes()),
            entry("x", b'0', "", b"y"),
        ],
        vec![
            entry("x", b'x', "", b"22 path=../../outside\n"),
            entry("x", b'0', "", b"y"),
        ],
    ] {
        let (_place, result) = unpacked(&hostile);
        assert!(
            result.is_err(),
            "{:?}",
            String::from_utf8_lossy(&hostile.concat())
        );
    }
}

#[test]
fn a_link_is_replaced_not_written_through() {
    let (place, result) = unpacked(&[
        entry("a", b'0', "", b"first"),
        entry("l", b'2', "a", b""),
        entry("l", b'0', "", b"second"),
    ]);
    result.unwrap();
    let inner = place.path().join("inner");
    assert_eq!(std::fs::read_to_string(inner.join("a")).unwrap(), "first");
    assert_eq!(std::fs::read_to_string(inner.join("l")).unwrap(), "second");
}

#[test]
fn what_was_packed_is_unpacked_again() {
    let (place, result) = unpacked(&[
        entry("a/b", b'0', "", b"hello"),
        entry("c", b'2', "a/b", b""),
    ]);
    result.unwrap();
    let source = Dir::open_ambient_dir(place.path().join("inner"), ambient_authority()).unwrap();
    let packed = super::super::pack(&source, Vec::new(), &|_| false).unwrap();
    assert_eq!(
        super::super::pack(&source, Vec::new(), &|_| false).unwrap(),
        packed
    );
    let target = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(target.path(), ambient_authority()).unwrap();
    let zstd = zstd::encode_all(packed.as_slice(), 3).unwrap();
    unpack(zstd.as_slice(), &dir, SMALL).unwrap();
    assert_eq!(
        std::fs::read_to_string(target.path().join("c")).unwrap(),
        "hello"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let place = tempfile::tempdir().unwrap();
        let target = Dir::open_ambient_dir(place.path(), ambient_authority()).unwrap();
        let _ = unpack(bytes.as_slice(), &target, SMALL);
    }

    #[test]
    fn links_and_files_never_get_out(
        entries in prop::collection::vec(
            (
                prop::sample::select(vec![b'0', b'1', b'2', b'5']),
                "[ab./]{1,8}",
                "[ab./]{1,10}",
            ),
            1..8,
        ),
    ) {
        let made: Vec<_> =
            entries.iter().map(|(kind, name, link)| entry(name, *kind, link, b"")).collect();
        let (place, _) = unpacked(&made);
        let names: Vec<_> = std::fs::read_dir(place.path()).unwrap().flatten().collect();
        prop_assert_eq!(names.len(), 2);
    }
}
