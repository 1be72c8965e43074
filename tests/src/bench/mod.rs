//! Measurements of the product as it is shipped; `cargo xtask bench` starts them one by one.
//!
//! Each has a binary of its own in `src/bin`, so that a measuring process holds nothing but what
//! is measured. What each measures and how is in docs/benchmarks.md. Nothing here asserts a time.

mod access;
mod audit;
mod cost;
mod fleet;
mod idle;
mod impact;
mod login;
mod logs;
mod machine;
mod overhead;
mod place;
mod plans;
mod policy;
mod queue;
mod report;
mod restart;
mod samples;
mod started;
mod state;

pub use access::access;
pub use audit::audit;
pub use cost::cost;
pub use idle::idle;
pub use impact::impact;
pub use login::login;
pub use logs::logs;
pub use overhead::overhead;
pub use policy::policy;
pub use queue::queue;
pub use restart::restart;
pub use state::state;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Full,
    /// Enough to see that everything works; all of it together takes less than two minutes.
    Quick,
}

impl Size {
    fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// Runs a benchmark to its end: the whole of its `main`.
pub fn start<F: Future<Output = ()>>(name: &str, measure: impl FnOnce(Size) -> F) {
    let quick = std::env::args().any(|it| it == "--quick");
    let size = if quick { Size::Quick } else { Size::Full };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    eprintln!("{name}: {}", machine::description());
    runtime.block_on(Box::pin(measure(size)));
    eprintln!("{name}: done, load {}", machine::load());
}
