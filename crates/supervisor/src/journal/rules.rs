//! Which states the journal takes. Pure.
//!
//! A state file may be rolled back, replaced by another workspace's, or written by something that
//! is not terraform: the journal only goes forward on one lineage, so that the newest entry is
//! always the one to recover.

use crate::journal::head::Head;

/// What has been seen so far.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    lineage: Option<String>,
    serial: i64,
    /// Of the last state taken; none while only the state at the start is known.
    sha256_hex: Option<String>,
}

/// What becomes of a whole state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Newer than all before.
    New,
    /// The one that is known already.
    Known,
    Refused(Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the state has the lineage {found}, this workspace has {expected}")]
    OtherLineage { expected: String, found: String },
    #[error("the state's serial went back from {known} to {found}")]
    OlderSerial { known: i64, found: i64 },
    #[error("the state changed without a higher serial than {serial}")]
    SameSerial { serial: i64 },
}

impl Rules {
    /// `base_serial` is that of the state at the start, -1 without one.
    pub(crate) fn new(lineage: Option<String>, base_serial: i64) -> Self {
        Self {
            lineage,
            serial: base_serial,
            sha256_hex: None,
        }
    }

    pub(crate) fn judge(&self, head: &Head, sha256_hex: &str) -> Verdict {
        if let Some(expected) = self
            .lineage
            .as_ref()
            .filter(|lineage| **lineage != head.lineage)
        {
            let (expected, found) = (expected.clone(), head.lineage.clone());
            return Verdict::Refused(Refusal::OtherLineage { expected, found });
        }
        match (head.serial.cmp(&self.serial), &self.sha256_hex) {
            (std::cmp::Ordering::Greater, _) => Verdict::New,
            (std::cmp::Ordering::Less, _) => Verdict::Refused(Refusal::OlderSerial {
                known: self.serial,
                found: head.serial,
            }),
            (std::cmp::Ordering::Equal, Some(known)) if known != sha256_hex => {
                Verdict::Refused(Refusal::SameSerial {
                    serial: self.serial,
                })
            }
            (std::cmp::Ordering::Equal, _) => Verdict::Known,
        }
    }

    /// Notes that a state judged [`Verdict::New`] has been written.
    pub(crate) fn taken(&mut self, head: &Head, sha256_hex: &str) {
        self.lineage = Some(head.lineage.clone());
        self.serial = head.serial;
        self.sha256_hex = Some(sha256_hex.to_owned());
    }

    /// A state that terraform put aside because its backend failed: its serial says nothing.
    pub(crate) fn judge_errored(&self, head: &Head) -> Verdict {
        match &self.lineage {
            Some(expected) if *expected != head.lineage => {
                let (expected, found) = (expected.clone(), head.lineage.clone());
                Verdict::Refused(Refusal::OtherLineage { expected, found })
            }
            Some(_) | None => Verdict::New,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(lineage: &str, serial: i64) -> Head {
        Head {
            version: 4,
            serial,
            lineage: lineage.into(),
        }
    }

    #[test]
    fn the_state_at_the_start_is_known() {
        let rules = Rules::new(Some("l".into()), 4);
        assert_eq!(rules.judge(&head("l", 4), "any"), Verdict::Known);
        assert_eq!(rules.judge(&head("l", 9), "any"), Verdict::New);
        assert!(matches!(
            rules.judge(&head("l", 3), "any"),
            Verdict::Refused(_)
        ));
        assert!(matches!(
            rules.judge(&head("m", 9), "any"),
            Verdict::Refused(_)
        ));
    }

    #[test]
    fn the_first_state_decides_the_lineage_of_a_new_workspace() {
        let mut rules = Rules::new(None, -1);
        assert_eq!(rules.judge(&head("l", 0), "a"), Verdict::New);
        rules.taken(&head("l", 0), "a");
        assert!(matches!(
            rules.judge(&head("m", 1), "b"),
            Verdict::Refused(_)
        ));
        assert_eq!(rules.judge(&head("l", 0), "a"), Verdict::Known);
        assert_eq!(
            rules.judge(&head("l", 0), "b"),
            Verdict::Refused(Refusal::SameSerial { serial: 0 })
        );
        assert_eq!(rules.judge_errored(&head("l", 0)), Verdict::New);
    }

    proptest! {
        #[test]
        fn what_is_taken_rises_on_one_lineage(
            base in -1i64..5,
            offers in proptest::collection::vec((0i64..12, 0u8..2, 0u8..3), 0..40),
        ) {
            let mut rules = Rules::new(None, base);
            let mut taken: Vec<Head> = vec![];
            for (serial, lineage, content) in offers {
                let offered = head(&lineage.to_string(), serial);
                if rules.judge(&offered, &content.to_string()) == Verdict::New {
                    rules.taken(&offered, &content.to_string());
                    taken.push(offered);
                }
            }
            prop_assert!(taken.iter().all(|head| head.serial > base));
            prop_assert!(taken.windows(2).all(|pair| pair[0].serial < pair[1].serial));
            prop_assert!(taken.windows(2).all(|pair| pair[0].lineage == pair[1].lineage));
        }
    }
}
