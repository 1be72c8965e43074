//! Keys, and the three forms in which Terrane seals things. Pure: no I/O, no clock.
//!
//! - [`secret`]: a small secret in a row.
//! - [`chunks`] (feature `chunks`): a large object, of which any part can be read without the rest.
//! - [`sealed`] (feature `hpke`): something that only the holder of a private key can open; a
//!   supervisor seals its journal so.
//!
//! All use AES-256-GCM. A key that seals many things never meets a nonce twice, because every
//! sealed thing gets a key of its own, derived with HKDF-SHA256 from the data key and 32 random
//! bytes. Random nonces under one key were decided against: 96 bits are too few for the number of
//! objects of a busy account.
//!
//! Whatever is sealed is bound to a [`Context`] (account, kind, id), so that a ciphertext put in
//! another one's place is refused. The formats are written down byte by byte in `docs/storage.md`.

mod cipher;
mod context;
mod error;
mod installation;
mod key;
mod keyring;
mod random;
#[cfg(any(feature = "chunks", feature = "hpke"))]
mod record;
mod root;
pub mod secret;
mod signer;

#[cfg(feature = "chunks")]
pub mod chunks;
#[cfg(feature = "hpke")]
pub mod sealed;

pub use context::Context;
pub use error::{Error, Result};
pub use installation::InstallationKey;
pub use key::{DataKey, KeyId};
pub use keyring::Keyring;
pub use root::{RootKeyError, RootKeySource};
pub use signer::Signer;
