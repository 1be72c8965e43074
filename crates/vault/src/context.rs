//! What a sealed thing is: bound into it, so that it can't be taken for another.

/// Account, kind and id of what is sealed. It must be known again to open it; it is not secret and
/// not stored with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    /// Empty for what belongs to the installation.
    pub account: &'a str,
    pub kind: &'a str,
    pub id: &'a str,
}

impl Context<'_> {
    /// The associated data: each part after its length (32 bits, big endian), so that no two
    /// contexts read the same.
    pub(crate) fn associated_data(&self, format: &str) -> Vec<u8> {
        let parts = [format, self.account, self.kind, self.id];
        let mut data = Vec::with_capacity(parts.iter().map(|part| 4 + part.len()).sum());
        for part in parts {
            let length = u32::try_from(part.len()).expect("names are short");
            data.extend_from_slice(&length.to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_border_changes_the_data() {
        let one = Context {
            account: "ab",
            kind: "c",
            id: "d",
        }
        .associated_data("f");
        let other = Context {
            account: "a",
            kind: "bc",
            id: "d",
        }
        .associated_data("f");
        assert_ne!(one, other);
    }
}
