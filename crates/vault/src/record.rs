//! The frame of a chunk: its length in 32 bits, big endian, of which the highest says "the last".
//!
//! The frame itself is not sealed, but changing it changes the nonce or associated data of what it
//! frames, or cuts it wrongly.

const LAST: u32 = 1 << 31;
pub(crate) const FRAME_LENGTH: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Of the sealed bytes that follow.
    pub(crate) length: usize,
    pub(crate) last: bool,
}

impl Frame {
    pub(crate) fn to_bytes(self) -> [u8; FRAME_LENGTH] {
        let length = u32::try_from(self.length).expect("chunks are small");
        (if self.last { length | LAST } else { length }).to_be_bytes()
    }

    pub(crate) fn read(bytes: [u8; FRAME_LENGTH]) -> Self {
        let word = u32::from_be_bytes(bytes);
        Self {
            length: (word & !LAST) as usize,
            last: word & LAST != 0,
        }
    }
}
