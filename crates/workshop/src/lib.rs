//! What tests, demo and benchmarks have to build or fetch before they can start: terraform itself,
//! the test provider and its mirror, the static supervisor, the image for jobs.
//!
//! Each thing is made once, below the target directory, under a lock, so that many test processes
//! may ask at the same time. Standard library and the machine's own tools only: `cargo xtask` links
//! this, and it should compile in seconds.

mod command;
pub mod image;
mod lock;
pub mod node;
pub mod opa;
pub mod product;
pub mod provider;
pub mod terraform;
mod tree;

pub use command::{found_on_path, run};
pub use lock::Lock;
pub use tree::Tree;
