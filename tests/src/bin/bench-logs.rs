//! `cargo xtask bench --only logs`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("logs", tests::bench::logs);
}
