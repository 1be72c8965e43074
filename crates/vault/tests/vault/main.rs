//! What sealed things promise: they come back whole, or not at all.

#![expect(clippy::unwrap_used, reason = "tests")]

mod chunks;
mod golden;
mod sealed;
mod secrets;

use vault::Context;

/// The context of all that is sealed here.
const HOME: Context<'static> = Context {
    account: "acc-1",
    kind: "state",
    id: "sv-1",
};

/// Contexts that differ in one part.
const ELSEWHERE: [Context<'static>; 3] = [
    Context {
        account: "acc-2",
        ..HOME
    },
    Context {
        kind: "plan",
        ..HOME
    },
    Context { id: "sv-2", ..HOME },
];

/// Every way to damage `whole` a little: each bit flipped, each shorter length, a byte appended.
fn damaged(whole: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flipped = (0..whole.len() * 8).map(|bit| {
        let mut bytes = whole.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
    let longer = [0, 1, 255].map(|byte| [whole, &[byte]].concat());
    flipped.chain(cut).chain(longer)
}
