//! `cargo xtask bench --only cost`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("cost", tests::bench::cost);
}
