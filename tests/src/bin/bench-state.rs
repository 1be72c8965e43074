//! `cargo xtask bench --only state`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("state", tests::bench::state);
}
