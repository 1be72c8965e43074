//! `cargo xtask bench --only impact`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("impact", tests::bench::impact);
}
