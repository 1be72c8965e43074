//! The marker protocol as arithmetic: which bytes of a log a reader at an offset gets.
//! Source: TFE contract, section 2.7.

const STX: u8 = 0x02;
const ETX: u8 = 0x03;

/// What to send: the parts of the marked stream between `offset` and `offset + limit`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub stx: bool,
    /// Offset and length in the log's own bytes.
    pub content: (u64, u64),
    pub etx: bool,
}

/// Cuts a log of `size` bytes. An unfinished empty log is empty, without a mark: its reader asks
/// again. A finished one, even if empty, has both marks, so that its reader can end.
pub(super) fn cut(size: u64, complete: bool, offset: u64, limit: u64) -> Slice {
    let nothing = Slice {
        stx: false,
        content: (0, 0),
        etx: false,
    };
    if limit == 0 || (size == 0 && !complete) {
        return nothing;
    }
    let stx = offset == 0;
    let room = limit - u64::from(stx);
    let start = offset.saturating_sub(1);
    if start > size {
        return nothing;
    }
    let length = room.min(size - start);
    let etx = complete && start + length == size && room > length;
    Slice {
        stx,
        content: (start, length),
        etx,
    }
}

/// The body for a slice whose content has been read.
pub(super) fn frame(slice: &Slice, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(content.len() + 2);
    if slice.stx {
        body.push(STX);
    }
    body.extend_from_slice(content);
    if slice.etx {
        body.push(ETX);
    }
    body
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a client does: asks from where it is until the end mark comes.
    fn read_all(log: &[u8], limit: u64) -> Vec<u8> {
        let mut got = Vec::new();
        for _ in 0..log.len() + 3 {
            let slice = cut(log.len() as u64, true, got.len() as u64, limit);
            let (start, length) = slice.content;
            let content = &log[start as usize..(start + length) as usize];
            got.extend(frame(&slice, content));
            if got.last() == Some(&ETX) {
                break;
            }
        }
        got
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_stream(
            log in prop::collection::vec(32u8..127, 0..200),
            limit in 1u64..80,
        ) {
            let mut expected = vec![STX];
            expected.extend(&log);
            expected.push(ETX);
            prop_assert_eq!(read_all(&log, limit), expected);
        }
    }

    #[test]
    fn before_the_first_byte_there_is_nothing() {
        assert_eq!(frame(&cut(0, false, 0, 65536), b""), b"");
    }

    #[test]
    fn the_end_mark_comes_last_and_once() {
        let slice = cut(3, true, 4, 10);
        assert_eq!(
            slice,
            Slice {
                stx: false,
                content: (3, 0),
                etx: true
            }
        );
        assert_eq!(frame(&cut(3, true, 5, 10), b""), b"");
    }
}
