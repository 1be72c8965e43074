//! Fetching a commit from a git repository and packing its tree.
//!
//! libgit2 speaks git; the bytes go through the runner's own HTTP client ([`transport`]), so that
//! each connection has its own authorities, proxy and credentials, and no OpenSSL is linked. The
//! tree is packed straight from the object database: nothing is checked out, so no hook, filter or
//! path of the repository can do anything here. Only repositories with submodules (where they are
//! asked for) or with files of Git LFS are checked out, by the machine's git ([`cli`]), which also
//! fetches over SSH ([`ssh`]).

mod cli;
mod connection;
mod fetch;
mod pack_directory;
mod pack_tree;
mod ssh;
mod transport;

pub use connection::Connection;
use pack_directory::pack_directory;
pub use ssh::{SshConnection, fetch as fetch_over_ssh};

pub use fetch::{FetchError, Fetched, Wanted, fetch};
