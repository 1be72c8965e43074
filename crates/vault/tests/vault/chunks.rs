//! Large objects.

use proptest::prelude::*;
use vault::chunks::{
    CHUNK_SIZE, Decoder, Encoder, FOOTER_LENGTH, HEADER_LENGTH, Index, Sizes, index_range, key_of,
};
use vault::{Context, DataKey, Error, Result};

use crate::{ELSEWHERE, HOME, damaged};

fn seal(key: &DataKey, chunk_size: usize, pieces: &[&[u8]]) -> (Vec<u8>, Sizes) {
    let mut out = Vec::new();
    let mut encoder = Encoder::with_chunk_size(chunk_size, key, &HOME, &mut out);
    for piece in pieces {
        encoder.write(piece, &mut out).unwrap();
    }
    let sizes = encoder.finish(&mut out);
    (out, sizes)
}

/// Opens front to back, fed in steps.
fn open(key: &DataKey, context: Context<'_>, object: &[u8], step: usize) -> Result<Vec<u8>> {
    let mut decoder = Decoder::new(key, context);
    let mut plaintext = Vec::new();
    for piece in object.chunks(step) {
        decoder.feed(piece);
        while let Some(chunk) = decoder.next_chunk()? {
            plaintext.extend(chunk);
        }
    }
    assert_eq!(decoder.finish()?, plaintext.len() as u64);
    Ok(plaintext)
}

fn index(key: &DataKey, context: &Context<'_>, object: &[u8]) -> Result<Index> {
    let stored = object.len() as u64;
    let footer = &object[object.len().saturating_sub(FOOTER_LENGTH)..];
    let range = index_range(footer, stored)?;
    let sealed = &object[range.start as usize..range.end as usize];
    Index::open(
        key,
        context,
        &object[..HEADER_LENGTH.min(object.len())],
        sealed,
        stored,
    )
}

/// Opens by the index.
fn slice(index: &Index, object: &[u8], from: u64, to: u64) -> Result<Vec<u8>> {
    let chunks = index.chunks_with(from..to);
    let mut plaintext = Vec::new();
    let first = chunks.start as u64 * index.chunk_size();
    for number in chunks {
        let range = index.stored_range(number..number + 1);
        let stored = &object[range.start as usize..range.end as usize];
        plaintext.extend(index.open_chunk(number, stored)?);
    }
    let end = (to.min(index.size()).max(from) - first) as usize;
    Ok(plaintext
        .get((from - first) as usize..end)
        .unwrap_or_default()
        .to_vec())
}

/// Bytes of which some parts compress and some don't.
fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..400),
        prop::collection::vec(0_u8..2, 0..400),
        (0_usize..9).prop_map(|chunks| vec![7; chunks * 64]),
    ]
}

proptest! {
    #[test]
    fn an_object_comes_back_however_it_is_cut(
        plaintext in content(), cut in 0_usize..401, step in 1_usize..300,
    ) {
        let key = DataKey::generate();
        let (before, after) = plaintext.split_at(cut.min(plaintext.len()));
        let (object, sizes) = seal(&key, 64, &[before, b"", after]);
        prop_assert_eq!(sizes, Sizes {
            plaintext: plaintext.len() as u64, stored: object.len() as u64,
        });
        prop_assert_eq!(key_of(&object).unwrap(), key.id());
        prop_assert_eq!(open(&key, HOME, &object, step).unwrap(), plaintext);
    }

    #[test]
    fn any_part_is_read_without_the_rest(plaintext in content(), from in 0_u64..450, len in 0_u64..450) {
        let key = DataKey::generate();
        let (object, _) = seal(&key, 64, &[&plaintext]);
        let index = index(&key, &HOME, &object).unwrap();
        prop_assert_eq!(index.size(), plaintext.len() as u64);
        let size = plaintext.len();
        let expected = &plaintext[size.min(from as usize)..size.min((from + len) as usize)];
        prop_assert_eq!(slice(&index, &object, from, from + len).unwrap(), expected);
        // Nothing but the chunks that hold those bytes is read.
        let chunks = index.chunks_with(from..from + len);
        prop_assert!(chunks.len() as u64 <= len.div_ceil(64) + 1);
    }

    #[test]
    fn junk_is_refused(junk: Vec<u8>) {
        let key = DataKey::generate();
        prop_assert!(open(&key, HOME, &junk, 64).is_err());
        prop_assert!(index(&key, &HOME, &junk).is_err());
    }
}

#[test]
fn any_damage_is_refused() {
    let key = DataKey::generate();
    for plaintext in [
        &b""[..],
        &[1; 16],
        b"three chunks of unlike bytes, the last short",
    ] {
        let (object, _) = seal(&key, 16, &[plaintext]);
        for bytes in damaged(&object) {
            assert!(open(&key, HOME, &bytes, 50).is_err());
            // By the index: either it is refused, or the chunk that was hit.
            let read = index(&key, &HOME, &bytes)
                .and_then(|index| slice(&index, &bytes, 0, index.size().max(1)));
            match read {
                Err(_) => {}
                // An empty object's one chunk is never asked for by offset.
                Ok(read) => assert!(plaintext.is_empty() && read.is_empty(), "{bytes:?}"),
            }
        }
    }
}

#[test]
fn moved_chunks_are_refused() {
    let key = DataKey::generate();
    // Four chunks of equal sealed length.
    let (object, _) = seal(&key, 16, &[&[1; 16], &[2; 16], &[3; 16], &[4; 16]]);
    let whole = index(&key, &HOME, &object).unwrap();
    let at = |n: usize| {
        let range = whole.stored_range(n..n + 1);
        range.start as usize..range.end as usize
    };
    let mut swapped = object.clone();
    swapped[at(0)].copy_from_slice(&object[at(1)]);
    swapped[at(1)].copy_from_slice(&object[at(0)]);
    assert!(matches!(
        open(&key, HOME, &swapped, 64),
        Err(Error::Tampered)
    ));
    assert!(whole.open_chunk(0, &object[at(1)]).is_err());
    assert!(whole.open_chunk(3, &object[at(2)]).is_err());

    let mut repeated = object.clone();
    repeated[at(1)].copy_from_slice(&object[at(0)]);
    assert!(open(&key, HOME, &repeated, 64).is_err());

    let missing = [&object[..at(1).start], &object[at(2).start..]].concat();
    assert!(open(&key, HOME, &missing, 64).is_err());
    assert!(index(&key, &HOME, &missing).is_err());
}

#[test]
fn chunks_of_another_object_are_refused() {
    let key = DataKey::generate();
    let (one, _) = seal(&key, 16, &[&[1; 40]]);
    let (other, _) = seal(&key, 16, &[&[1; 40]]);
    assert_eq!(one.len(), other.len());
    let mixed = [&one[..HEADER_LENGTH], &other[HEADER_LENGTH..]].concat();
    assert!(open(&key, HOME, &mixed, 64).is_err());
    assert!(index(&key, &HOME, &mixed).is_err());
}

#[test]
fn an_object_in_another_ones_place_is_refused() {
    let key = DataKey::generate();
    let (object, _) = seal(&key, 16, &[&[1; 40]]);
    for context in ELSEWHERE {
        assert!(matches!(
            open(&key, context, &object, 64),
            Err(Error::Tampered)
        ));
        assert!(matches!(
            index(&key, &context, &object),
            Err(Error::Tampered)
        ));
    }
    let other = DataKey::generate();
    assert!(matches!(
        open(&other, HOME, &object, 64),
        Err(Error::WrongKey { .. })
    ));
}

#[test]
fn repetitive_content_shrinks_and_random_content_hardly_grows() {
    let key = DataKey::generate();
    let text = r#"{"type":"null_resource","name":"a"},"#.repeat(10_000);
    let (_, sizes) = seal(&key, CHUNK_SIZE, &[text.as_bytes()]);
    assert!(sizes.stored * 10 < sizes.plaintext, "{sizes:?}");

    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(300_000)
    .collect();
    let (_, sizes) = seal(&key, CHUNK_SIZE, &[&noise]);
    assert!(sizes.stored < sizes.plaintext + 500, "{sizes:?}");
}

/// What an earlier release wrote must stay readable: the layout, byte by byte.
#[test]
fn the_layout_is_as_documented() {
    let key = DataKey::generate();
    let (object, _) = seal(&key, 16, &[&[5; 20]]);
    assert_eq!(&object[..8], b"TERRBLOB");
    assert_eq!(object[8..16], [1, 0, 0, 0, 0, 0, 0, 16]);
    assert_eq!(&object[16..32], key.id().as_bytes());
    let first = u32::from_be_bytes(object[64..68].try_into().unwrap());
    let second_at = 68 + first as usize;
    let second = u32::from_be_bytes(object[second_at..second_at + 4].try_into().unwrap());
    assert_eq!(first >> 31, 0);
    assert_eq!(second >> 31, 1);
    let index_at = second_at + 4 + (second & 0x7fff_ffff) as usize;
    let footer_at = object.len() - 16;
    assert_eq!(footer_at - index_at, 8 + 4 + 2 * 4 + 16);
    assert_eq!(object[footer_at..footer_at + 8], [0, 0, 0, 36, 0, 0, 0, 0]);
    assert_eq!(&object[footer_at + 8..], b"TERRTAIL");
}
