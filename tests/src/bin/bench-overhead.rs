//! `cargo xtask bench --only overhead`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("overhead", tests::bench::overhead);
}
