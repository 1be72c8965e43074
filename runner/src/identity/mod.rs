//! Who this runner is: a key that never leaves the machine and a certificate that is renewed at
//! half its life.

mod enrol;
mod store;

pub use enrol::{EnrolError, enrol, recover, renew};
pub use store::{Identity, StoreError};
