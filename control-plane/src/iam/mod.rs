//! Identity and access: who a token belongs to, and what its owner may do.
//!
//! Decides: whether an actor may do something to an object ([`authorize`], the one door every use
//! case passes), users, tokens and signing in. Leaves to others: what the objects are. Roles are two
//! for now; finer ones are sets of the same permissions behind the same door.

mod authenticate;
mod authorize;
mod error;
mod secret_token;
mod store;

pub use authenticate::authenticate;
pub use authorize::{Authorized, Denied, Target, authorize};
pub use error::IamError;
pub use secret_token::{TokenText, hash_token, is_well_formed};
