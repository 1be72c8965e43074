//! What a plan would do, in numbers, out of `terraform show -json PLANFILE`.
//!
//! Read as a stream: of each resource change only its actions are kept, so that a plan of any size
//! costs the memory of its largest single value.

use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess};

use crate::stream::{Members, TakeMember, each};

/// The numbers of one plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanSummary {
    /// `format_version` of the document.
    pub format_version: String,
    pub terraform_version: String,
    /// Created resources; a replacement counts here and under `destructions`, as Terraform counts.
    pub additions: u32,
    pub changes: u32,
    pub destructions: u32,
    pub imports: u32,
    /// Resources that only get another address.
    pub moves: u32,
    /// Resources that leave the state and go on existing.
    pub forgotten: u32,
    /// Resources that were changed outside Terraform.
    pub drifted: u32,
    /// Root outputs whose value changes.
    pub output_changes: u32,
    /// Resource changes put off to a later run.
    pub deferred: u32,
    /// Whether there is anything to apply: what the contract calls `has-changes`.
    pub has_changes: bool,
    /// Configuration was generated for an imported resource.
    pub generated_configuration: bool,
    /// Planning ended with an error; the plan can't be applied.
    pub errored: bool,
}

/// Why a plan could not be read.
#[derive(Debug, thiserror::Error)]
#[error("this is no JSON plan")]
pub struct PlanError {
    #[from]
    source: serde_json::Error,
}

/// Reads the output of `terraform show -json PLANFILE` to its end.
///
/// # Errors
/// When it is no whole JSON plan, or can't be read.
pub fn summarize(plan: impl Read) -> Result<PlanSummary, PlanError> {
    let mut json = serde_json::Deserializer::from_reader(plan);
    let mut tally = Tally::default();
    Members(&mut tally).deserialize(&mut json)?;
    json.end()?;
    if tally.summary.format_version.is_empty() {
        return Err(serde_json::Error::missing_field("format_version").into());
    }
    Ok(tally.summary())
}

#[derive(Default)]
struct Tally {
    summary: PlanSummary,
    /// Terraform's own word on whether the plan can be applied (from 1.8 on).
    applyable: Option<bool>,
    /// Reads of data sources while applying, and actions of later versions: worth applying too.
    others: u32,
}

impl Tally {
    fn summary(self) -> PlanSummary {
        let mut summary = self.summary;
        let counted = [
            summary.additions,
            summary.changes,
            summary.destructions,
            summary.imports,
            summary.moves,
            summary.forgotten,
            summary.output_changes,
            self.others,
        ];
        let any = counted.iter().any(|count| *count > 0);
        summary.has_changes = match self.applyable {
            // Terraform takes a refresh-only plan for applyable when only the order of sensitive
            // paths differs, and says "No changes" in the same breath.
            Some(applyable) => applyable && (any || summary.drifted > 0),
            None => any && !summary.errored,
        };
        summary
    }

    fn resource(&mut self, change: ResourceChange) {
        let summary = &mut self.summary;
        let managed = change.mode != "data";
        for action in &change.change.actions {
            match action.as_str() {
                "create" => summary.additions += 1,
                "update" => summary.changes += 1,
                "delete" => summary.destructions += 1,
                "forget" => summary.forgotten += 1,
                "no-op" => {}
                _ => self.others += 1,
            }
        }
        if managed && change.change.importing.is_some() {
            summary.imports += 1;
        }
        let moved = change
            .previous_address
            .is_some_and(|previous| previous != change.address);
        if moved && change.change.actions.iter().all(|action| action == "no-op") {
            summary.moves += 1;
        }
        summary.generated_configuration |= change
            .change
            .generated_config
            .is_some_and(|text| !text.is_empty());
    }
}

#[derive(Deserialize)]
struct ResourceChange {
    #[serde(default)]
    address: String,
    previous_address: Option<String>,
    #[serde(default)]
    mode: String,
    change: Change,
}

#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    actions: Vec<String>,
    importing: Option<IgnoredAny>,
    generated_config: Option<String>,
}

impl TakeMember for Tally {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "format_version" => self.summary.format_version = map.next_value()?,
            "terraform_version" => self.summary.terraform_version = map.next_value()?,
            "applyable" => self.applyable = map.next_value()?,
            "errored" => self.summary.errored = map.next_value::<Option<bool>>()? == Some(true),
            "resource_changes" => map.next_value_seed(each(|change| self.resource(change)))?,
            "resource_drift" => {
                map.next_value_seed(each(|_: IgnoredAny| self.summary.drifted += 1))?;
            }
            "deferred_changes" => {
                map.next_value_seed(each(|_: IgnoredAny| self.summary.deferred += 1))?;
            }
            "output_changes" => map.next_value_seed(Members(&mut Outputs(&mut self.summary)))?,
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Outputs<'s>(&'s mut PlanSummary);

impl TakeMember for Outputs<'_> {
    fn take<'de, A: MapAccess<'de>>(&mut self, _: &str, map: &mut A) -> Result<(), A::Error> {
        let change: Change = map.next_value()?;
        self.0.output_changes += u32::from(change.actions.iter().any(|action| action != "no-op"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(json: &str) -> PlanSummary {
        summarize(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_replacement_is_an_addition_and_a_destruction() {
        let plan = summary(
            r#"{"format_version":"1.2","terraform_version":"1.11.4","resource_changes":[
            {"address":"a.b","mode":"managed","change":{"actions":["delete","create"]}},
            {"address":"a.c","mode":"managed","change":{"actions":["no-op"],"importing":{"id":"x"}}},
            {"address":"a.d","mode":"managed","previous_address":"a.e","change":{"actions":["no-op"]}},
            {"address":"data.x.y","mode":"data","change":{"actions":["read"]}}],
            "resource_drift":[{},{}],"output_changes":{"o":{"actions":["update"]},"p":{"actions":["no-op"]}},
            "applyable":true,"errored":false}"#,
        );
        assert_eq!((plan.additions, plan.changes, plan.destructions), (1, 0, 1));
        assert_eq!(
            (plan.imports, plan.moves, plan.drifted, plan.output_changes),
            (1, 1, 2, 1)
        );
        assert!(plan.has_changes);
    }

    #[test]
    fn without_a_word_from_terraform_the_changes_decide() {
        let json = |actions: &str| {
            format!(
                r#"{{"format_version":"1.0","output_changes":{{"o":{{"actions":["{actions}"]}}}}}}"#
            )
        };
        assert!(summary(&json("create")).has_changes);
        assert!(!summary(&json("no-op")).has_changes);
    }

    #[test]
    fn a_refresh_only_plan_is_applyable_by_terraforms_word() {
        let plan = summary(r#"{"format_version":"1.2","resource_drift":[{}],"applyable":true}"#);
        assert!(plan.has_changes);
        let plan = summary(r#"{"format_version":"1.2","resource_drift":[{}],"applyable":false}"#);
        assert!(!plan.has_changes, "drift that a plan leaves alone");
        let plan = summary(r#"{"format_version":"1.2","applyable":true}"#);
        assert!(!plan.has_changes, "nothing was found to be different");
    }

    #[test]
    fn a_torn_or_foreign_document_is_refused() {
        for text in ["", "{", "[]", "{}", "null", r#"{"format_version":"1.2"} x"#] {
            assert!(summarize(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
