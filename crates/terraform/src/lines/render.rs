//! The text log: what the CLI would have printed without `-json`.

use std::collections::BTreeMap;

use super::value::format_value;
use super::{ChangeSummary, Event, Hook, Line, OutputValue};

/// Turns lines into text for people.
///
/// While planning it leaves out what `terraform show PLANFILE` prints afterwards: the changes, their
/// count and the outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renderer {
    Init,
    Plan,
    Apply,
}

impl Renderer {
    /// The text for one line, ending in a line end; `None` where the CLI prints nothing.
    pub fn render(self, line: &Line) -> Option<String> {
        let message = || Some(format!("{}\n", line.message));
        match &line.event {
            Event::Version { .. }
            | Event::RefreshComplete(_)
            | Event::ProvisionComplete(_)
            | Event::ProvisionErrored(_)
            | Event::ApplyErrored(_)
            | Event::ResourceDrift(_)
            | Event::PlannedChange(_) => None,
            Event::ChangeSummary(summary) => self.summary(summary, &line.message),
            Event::Outputs(outputs) => self.outputs(outputs),
            Event::Diagnostic(diagnostic) => Some(diagnostic.render()),
            Event::ProvisionProgress(hook) => Some(provisioner_output(hook)),
            Event::Text
            | Event::Log
            | Event::InitOutput
            | Event::RefreshStart(_)
            | Event::ApplyStart(_)
            | Event::ApplyProgress(_)
            | Event::ApplyComplete(_)
            | Event::ProvisionStart(_)
            | Event::Other { .. } => message(),
        }
    }

    fn summary(self, summary: &ChangeSummary, message: &str) -> Option<String> {
        (self == Self::Apply && summary.operation != "plan").then(|| format!("\n{message}\n"))
    }

    fn outputs(self, outputs: &BTreeMap<String, OutputValue>) -> Option<String> {
        if self != Self::Apply || outputs.is_empty() {
            return None;
        }
        let mut text = String::from("\nOutputs:\n\n");
        for (name, output) in outputs {
            let value = match &output.value {
                Some(value) if !output.sensitive => format_value(value, &output.detailed_type, 0),
                None if !output.sensitive => "null".to_owned(),
                Some(_) | None => "<sensitive>".to_owned(),
            };
            text.push_str(&format!("{name} = {value}\n"));
        }
        Some(text)
    }
}

fn provisioner_output(hook: &Hook) -> String {
    let address = &hook.resource.addr;
    let provisioner = hook.provisioner.as_deref().unwrap_or_default();
    format!(
        "{address} ({provisioner}): {}\n",
        hook.output.as_deref().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(renderer: Renderer, lines: &[&str]) -> String {
        lines
            .iter()
            .filter_map(|line| renderer.render(&Line::parse(line)))
            .collect()
    }

    const LINES: &[&str] = &[
        r#"{"@level":"info","@message":"Terraform 1.11.4","type":"version","terraform":"1.11.4"}"#,
        r#"{"@level":"info","@message":"a.b: Plan to create","type":"planned_change","change":{"action":"create"}}"#,
        r#"{"@level":"info","@message":"a.b: Creating...","type":"apply_start","hook":{"action":"create"}}"#,
        r#"{"@level":"info","@message":"a.b: (local-exec): hello","type":"provision_progress","hook":{"resource":{"addr":"a.b"},"provisioner":"local-exec","output":"hello"}}"#,
        "a stray line",
        r#"{"@level":"info","@message":"a.b: Creation complete after 0s [id=1]","type":"apply_complete","hook":{}}"#,
        r#"{"@level":"info","@message":"Apply complete! Resources: 1 added, 0 changed, 0 destroyed.","type":"change_summary","changes":{"add":1,"operation":"apply"}}"#,
        r#"{"@level":"info","@message":"Outputs: 2","type":"outputs","outputs":{"ip":{"sensitive":false,"type":"string","value":"10.0.0.1"},"key":{"sensitive":true,"type":"string"}}}"#,
    ];

    #[test]
    fn an_apply_reads_as_it_would_on_a_terminal() {
        assert_eq!(
            rendered(Renderer::Apply, LINES),
            "a.b: Creating...\na.b (local-exec): hello\na stray line\n\
             a.b: Creation complete after 0s [id=1]\n\n\
             Apply complete! Resources: 1 added, 0 changed, 0 destroyed.\n\n\
             Outputs:\n\nip = \"10.0.0.1\"\nkey = <sensitive>\n"
        );
    }

    #[test]
    fn a_plan_leaves_the_changes_to_show() {
        let text = rendered(Renderer::Plan, LINES);
        assert!(
            !text.contains("Plan to create") && !text.contains("Outputs"),
            "{text}"
        );
    }

    /// The sample was printed by Terraform 1.11.4 with `-json`, the text by the same version without.
    #[test]
    fn a_real_apply_reads_as_the_cli_printed_it() {
        let lines: Vec<_> = include_str!("../../samples/apply.jsonl").lines().collect();
        let expected = include_str!("../../samples/apply.txt");
        assert_eq!(rendered(Renderer::Apply, &lines), expected);
    }
}
