//! Random bytes from the operating system, for keys and salts.

use rand::TryRng;
use rand::rngs::SysRng;

/// # Panics
/// When the operating system has no randomness to give; going on without would be worse.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .expect("the operating system gives random bytes");
    bytes
}
