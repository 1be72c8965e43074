//! The words for what an object is, as rows and the runner protocol have them, and where each lies
//! in the object store.

use blob::BlobKind;

use crate::problem::Fault;

/// The store's kind for a word. The words are kept in rows: never change one.
pub(crate) fn blob_kind(word: &str) -> Result<BlobKind, Fault> {
    match word {
        "json-state" => Ok(BlobKind::State),
        "plan-archive" => Ok(BlobKind::WorkingDirectory),
        "plan-json"
        | "plan-json-redacted"
        | "plan-json-for-policies"
        | "provider-schemas"
        | "cost-report" => Ok(BlobKind::JsonPlan),
        other => other.parse().map_err(|_| Fault::Unreadable {
            what: "the kind of an object",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stores_own_words_and_ours_are_known() {
        assert_eq!(blob_kind("state").unwrap(), BlobKind::State);
        assert_eq!(
            blob_kind("plan-archive").unwrap(),
            BlobKind::WorkingDirectory
        );
        assert!(blob_kind("states").is_err());
    }
}
