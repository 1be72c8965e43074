//! Builtins whose answer depends on when and where they run.
//!
//! A verdict has to be repeatable: the same policy on the same input says the same tomorrow, or
//! neither a cached result nor an audit is worth anything. So the time is the time the caller
//! gives, and chance is drawn from it.

use regorus::Value;
use sha2::{Digest, Sha256};

/// What an evaluation is told of the world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Circumstances {
    /// Nanoseconds since 1970 that `time.now_ns` answers.
    pub now_ns: i64,
}

impl Circumstances {
    pub(super) fn now(self) -> Value {
        Value::from(self.now_ns)
    }

    /// `rand.intn(seed, below)`: the same number for the same seed within one evaluation.
    pub(super) fn chance(self, arguments: &[Value]) -> anyhow::Result<Value> {
        let below = arguments[1].as_i64()?.unsigned_abs();
        if below == 0 {
            return Ok(Value::from(0_u64));
        }
        let drawn = self.draw(&[b"intn", arguments[0].as_string()?.as_bytes()]);
        let number = drawn[..8]
            .iter()
            .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        Ok(Value::from(number % below))
    }

    /// `uuid.rfc4122(seed)`: version 4 in form.
    pub(super) fn uuid(self, arguments: &[Value]) -> anyhow::Result<Value> {
        let mut bytes = self.draw(&[b"uuid", arguments[0].as_string()?.as_bytes()]);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let digits = hex::encode(&bytes[..16]);
        let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
        Ok(Value::from(groups.join("-")))
    }

    fn draw(self, of: &[&[u8]]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.now_ns.to_be_bytes());
        for part in of {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}
