//! One line and what it says.
//!
//! The shapes are those of Terraform's machine-readable UI, versions 1.0 to 1.2. A line of a type
//! that is not known here, or whose fields aren't what they should be, is [`Event::Other`]: its
//! message still says to people what happened.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Diagnostic;

/// A parsed line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// `info`, `warn`, `error`…; empty for a text.
    pub level: String,
    /// `@message`; for a text, the line itself.
    pub message: String,
    /// `@timestamp` as it stands.
    pub timestamp: String,
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// No JSON of Terraform's.
    Text,
    Version {
        terraform: String,
    },
    Log,
    InitOutput,
    Diagnostic(Box<Diagnostic>),
    RefreshStart(Hook),
    RefreshComplete(Hook),
    ResourceDrift(Change),
    PlannedChange(Change),
    ChangeSummary(ChangeSummary),
    Outputs(BTreeMap<String, OutputValue>),
    ApplyStart(Hook),
    ApplyProgress(Hook),
    ApplyComplete(Hook),
    ApplyErrored(Hook),
    ProvisionStart(Hook),
    ProvisionProgress(Hook),
    ProvisionComplete(Hook),
    ProvisionErrored(Hook),
    /// A type that is not known here.
    Other {
        kind: String,
    },
}

/// The resource instance that an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ResourceRef {
    pub addr: String,
    pub module: String,
    pub resource_type: String,
    pub resource_name: String,
    pub implied_provider: String,
}

/// What happens to one resource instance while refreshing or applying.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Hook {
    pub resource: ResourceRef,
    /// create, update, delete, read, …
    pub action: String,
    /// Which attribute identifies the object to people, and its value.
    pub id_key: Option<String>,
    pub id_value: Option<String>,
    pub elapsed_seconds: Option<f64>,
    pub provisioner: Option<String>,
    pub output: Option<String>,
}

/// What a plan means to do with one resource instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Change {
    pub resource: ResourceRef,
    pub action: String,
    pub reason: Option<String>,
}

/// The counts at the end of a plan or an apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ChangeSummary {
    pub add: u32,
    pub change: u32,
    pub import: u32,
    pub remove: u32,
    /// plan, apply or destroy.
    pub operation: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct OutputValue {
    #[serde(default)]
    pub sensitive: bool,
    /// Terraform's JSON form of the type.
    #[serde(default, rename = "type")]
    pub detailed_type: Value,
    /// Absent when sensitive, or not known yet.
    pub value: Option<Value>,
    pub action: Option<String>,
}

impl Line {
    /// Reads one line, which may be anything.
    pub fn parse(line: &str) -> Self {
        parse(line).unwrap_or_else(|| Self {
            level: String::new(),
            message: line.to_owned(),
            timestamp: String::new(),
            event: Event::Text,
        })
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "@level")]
    level: String,
    #[serde(rename = "@message")]
    message: String,
    #[serde(rename = "@timestamp", default)]
    timestamp: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    terraform: Value,
    #[serde(default)]
    tofu: Value,
    #[serde(default)]
    diagnostic: Value,
    #[serde(default)]
    hook: Value,
    #[serde(default)]
    change: Value,
    #[serde(default)]
    changes: Value,
    #[serde(default)]
    outputs: Value,
}

fn parse(line: &str) -> Option<Line> {
    if !line.trim_start().starts_with('{') {
        return None;
    }
    let wire: Wire = serde_json::from_str(line).ok()?;
    let event = event(
        &wire.kind,
        wire.terraform,
        wire.tofu,
        [
            wire.diagnostic,
            wire.hook,
            wire.change,
            wire.changes,
            wire.outputs,
        ],
    );
    let event = event.unwrap_or(Event::Other { kind: wire.kind });
    Some(Line {
        level: wire.level,
        message: wire.message,
        timestamp: wire.timestamp,
        event,
    })
}

fn event(kind: &str, terraform: Value, tofu: Value, members: [Value; 5]) -> Option<Event> {
    let [diagnostic, hook, change, changes, outputs] = members;
    Some(match kind {
        "version" => Event::Version {
            terraform: terraform
                .as_str()
                .or(tofu.as_str())
                .unwrap_or_default()
                .to_owned(),
        },
        "log" => Event::Log,
        "init_output" => Event::InitOutput,
        "diagnostic" => Event::Diagnostic(typed(diagnostic)?),
        "refresh_start" => Event::RefreshStart(typed(hook)?),
        "refresh_complete" => Event::RefreshComplete(typed(hook)?),
        "resource_drift" => Event::ResourceDrift(typed(change)?),
        "planned_change" => Event::PlannedChange(typed(change)?),
        "change_summary" => Event::ChangeSummary(typed(changes)?),
        "outputs" => Event::Outputs(typed(outputs)?),
        "apply_start" => Event::ApplyStart(typed(hook)?),
        "apply_progress" => Event::ApplyProgress(typed(hook)?),
        "apply_complete" => Event::ApplyComplete(typed(hook)?),
        "apply_errored" => Event::ApplyErrored(typed(hook)?),
        "provision_start" => Event::ProvisionStart(typed(hook)?),
        "provision_progress" => Event::ProvisionProgress(typed(hook)?),
        "provision_complete" => Event::ProvisionComplete(typed(hook)?),
        "provision_errored" => Event::ProvisionErrored(typed(hook)?),
        _ => return None,
    })
}

fn typed<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_completed_resource_has_its_id() {
        let line = Line::parse(
            r#"{"@level":"info","@message":"a.b: Creation complete after 1s [id=i-1]","@timestamp":"t","hook":{"resource":{"addr":"a.b[1]","module":"","resource":"a.b[1]","resource_type":"a","resource_name":"b","resource_key":1},"action":"create","id_key":"id","id_value":"i-1","elapsed_seconds":1},"type":"apply_complete"}"#,
        );
        let Event::ApplyComplete(hook) = line.event else {
            panic!("{line:?}")
        };
        assert_eq!(hook.resource.addr, "a.b[1]");
        assert_eq!(hook.id_value.as_deref(), Some("i-1"));
    }

    #[test]
    fn what_is_no_line_of_terraforms_is_kept_as_text() {
        for text in [
            "",
            "panic: runtime error",
            "{",
            "{}",
            "[1]",
            r#"{"version":4,"serial":1}"#,
        ] {
            let line = Line::parse(text);
            assert_eq!((line.event, line.message.as_str()), (Event::Text, text));
        }
    }

    #[test]
    fn a_line_of_tomorrow_keeps_its_message() {
        for json in [
            r#"{"@level":"info","@message":"m","type":"new_thing","x":1}"#,
            r#"{"@level":"info","@message":"m","type":"apply_start","hook":3}"#,
            r#"{"@level":"info","@message":"m"}"#,
        ] {
            let line = Line::parse(json);
            assert!(matches!(line.event, Event::Other { .. }), "{line:?}");
            assert_eq!(line.message, "m");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_answered(line in "\\PC{0,80}") {
            let parsed = Line::parse(&line);
            if parsed.event == Event::Text {
                prop_assert_eq!(parsed.message, line);
            }
        }
    }
}
