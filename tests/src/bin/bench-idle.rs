//! `cargo xtask bench --only idle`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("idle", tests::bench::idle);
}
