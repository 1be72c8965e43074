//! The document behind `json-output-redacted`: what the CLI renders a remote plan from.
//!
//! It isn't `show -json`: the CLI decodes `plan_format_version`, `provider_schemas` and the changes,
//! and panics when a changed resource's schema is missing. It is put together from `show -json` and
//! `providers schema -json`, each read as a stream, with every sensitive value blanked ([`blank`]).
//!
//! Only schemas of the types that change are kept, as a large provider's whole schema is tens of
//! megabytes. Where one can't be had an empty one stands in: the CLI then shows the change without
//! attributes, which beats a crash, and the caller is told.

mod blank;
mod document;
mod schemas;

use std::io::{Read, Write};

/// What came out besides the document itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction {
    /// `PROVIDER TYPE` of changed resources that no schema was found for.
    pub missing_schemas: Vec<String>,
    /// How many values were blanked.
    pub blanked: u64,
}

/// Why no redacted plan could be made.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    #[error("this is no JSON plan")]
    Plan(#[source] serde_json::Error),
    #[error("this is no provider schema document")]
    Schemas(#[source] serde_json::Error),
    #[error("the redacted plan could not be written")]
    Write(#[source] std::io::Error),
}

/// Writes the redacted document for `plan` (`show -json`) to `out`; `schemas` is the output of
/// `terraform providers schema -json` in the same configuration.
///
/// Numbers beyond 64 bits lose digits inside changes that hold a sensitive value; everything else
/// is copied as it stands.
///
/// # Errors
/// When one of the documents is broken, or `out` fails. What was written until then is no document.
pub fn redact(
    plan: impl Read,
    schemas: impl Read,
    out: &mut impl Write,
) -> Result<Redaction, RedactError> {
    let mut output = document::Output::new(out);
    output.copy_plan(plan)?;
    let missing_schemas = output.copy_schemas(schemas)?;
    Ok(Redaction {
        missing_schemas,
        blanked: output.finish()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SCHEMAS: &str = r#"{"format_version":"1.0","provider_schemas":{
        "p/x":{"provider":{},"resource_schemas":{"x_a":{"version":1,"block":{}},"x_b":{"version":0}},
               "data_source_schemas":{"x_d":{"version":0}}},
        "p/unused":{"resource_schemas":{"u":{}}}}}"#;

    fn redacted(plan: &Value) -> (Value, Redaction) {
        let mut out = Vec::new();
        let redaction = redact(plan.to_string().as_bytes(), SCHEMAS.as_bytes(), &mut out).unwrap();
        (serde_json::from_slice(&out).unwrap(), redaction)
    }

    fn change(kind: &str, change: Value) -> Value {
        json!({"address": format!("{kind}.r"), "mode": "managed", "type": kind,
               "provider_name": "p/x", "change": change})
    }

    #[test]
    fn the_document_has_what_the_cli_decodes_and_only_needed_schemas() {
        let (document, redaction) = redacted(&json!({
            "format_version": "1.2", "terraform_version": "1.11.4", "variables": {"s": {"value": "v"}},
            "resource_changes": [change("x_a", json!({"actions": ["create"], "after": {"n": 1}}))],
            "output_changes": {"o": {"actions": ["create"], "after": "v", "after_sensitive": false}},
            "relevant_attributes": [{"resource": "x_a.r", "attribute": ["n"]}],
        }));
        assert_eq!(redaction, Redaction::default());
        assert_eq!(document["plan_format_version"], "1.2");
        assert_eq!(document["provider_format_version"], "1.0");
        assert_eq!(
            document["provider_schemas"],
            json!({"p/x": {"resource_schemas": {"x_a": {"version": 1, "block": {}}}, "data_source_schemas": {}}})
        );
        assert_eq!(document["resource_changes"][0]["change"]["after"]["n"], 1);
        assert_eq!(document["output_changes"]["o"]["after"], "v");
        assert_eq!(document["relevant_attributes"][0]["resource"], "x_a.r");
        assert!(document.get("variables").is_none());
    }

    #[test]
    fn a_missing_schema_is_replaced_and_reported() {
        let (document, redaction) = redacted(&json!({
            "format_version": "1.2",
            "resource_changes": [change("x_gone", json!({"actions": ["create"], "after": {}}))],
        }));
        assert_eq!(redaction.missing_schemas, ["p/x x_gone"]);
        let schemas = &document["provider_schemas"]["p/x"]["resource_schemas"];
        assert_eq!(schemas["x_gone"], json!({"version": 0, "block": {}}));
    }

    #[test]
    fn sensitive_values_are_blanked_wherever_changes_are_listed() {
        let secret = || {
            change(
                "x_a",
                json!({"actions": ["update"], "before": {"s": "old-secret", "n": 1},
                   "after": {"s": "new-secret", "n": 2},
                   "before_sensitive": {"s": true}, "after_sensitive": {"s": true}}),
            )
        };
        let (document, redaction) = redacted(&json!({
            "format_version": "1.2",
            "resource_changes": [secret()], "resource_drift": [secret()],
            "deferred_changes": [{"reason": "r", "resource_change": secret()}],
            "output_changes": {"o": {"actions": ["create"], "before": null, "after": "new-secret",
                "before_sensitive": true, "after_sensitive": true}},
        }));
        assert!(!document.to_string().contains("secret\""), "{document}");
        assert_eq!(redaction.blanked, 4);
        assert_eq!(
            document["deferred_changes"][0]["resource_change"]["change"]["after"]["n"],
            2
        );
    }

    #[test]
    fn a_torn_plan_is_an_error() {
        let plan = r#"{"format_version":"1.2","resource_changes":[{"#;
        let error = redact(plan.as_bytes(), SCHEMAS.as_bytes(), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, RedactError::Plan(_)), "{error}");
    }
}
