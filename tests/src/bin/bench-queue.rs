//! `cargo xtask bench --only queue`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("queue", tests::bench::queue);
}
