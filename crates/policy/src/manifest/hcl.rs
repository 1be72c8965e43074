//! Manifests in HCL.

use hcl_edit::Span;
use hcl_edit::structure::{Attribute, Block, Body};

use super::{Fields, GroupKind, Manifest};
use crate::Problem;
use crate::rego::source::{SourceFile, admit};

pub(super) fn read(file: &SourceFile, kind: GroupKind) -> Result<Manifest, Problem> {
    admit(file)?;
    let body: Body = file
        .text
        .parse()
        .map_err(|error: hcl_edit::parser::Error| {
            let place = error.location();
            Problem::of_file(&file.path, error.message(), "mend the HCL at this place").at(
                u32::try_from(place.line()).unwrap_or(u32::MAX),
                u32::try_from(place.column()).unwrap_or(u32::MAX),
            )
        })?;
    let mut manifest = Manifest {
        kind,
        file: file.path.clone(),
        entries: Vec::new(),
        problems: Vec::new(),
    };
    for attribute in body.attributes() {
        manifest.problems.extend(top_level(file, kind, attribute));
    }
    for block in body.blocks() {
        if block.has_ident("policy") && block.labels.len() == 1 {
            let fields = fields(file, kind, block);
            manifest
                .entries
                .push(fields.entry(kind, &file.path, place(file, block)));
        } else {
            manifest.problems.push(located(
                file,
                block,
                format!("the block `{}` means nothing here", block.ident.as_str()),
                "write policy \"NAME\" { … }",
            ));
        }
    }
    Ok(manifest)
}

fn top_level(file: &SourceFile, kind: GroupKind, attribute: &Attribute) -> Option<Problem> {
    let known = kind == GroupKind::Files && attribute.key.as_str() == "version";
    if known && attribute.value.as_str() == Some("v1") {
        return None;
    }
    let message = if known {
        "this version of the manifest is not known".to_owned()
    } else {
        format!("`{}` means nothing here", attribute.key.as_str())
    };
    Some(located(file, attribute, message, "write version = \"v1\"").warning())
}

fn fields(file: &SourceFile, kind: GroupKind, block: &Block) -> Fields {
    let mut fields = Fields::new(block.labels[0].as_str().to_owned());
    for attribute in block.body.attributes() {
        let key = attribute.key.as_str();
        let text = attribute.value.as_str().map(str::to_owned);
        let understood = match key {
            "enforcement_level" => {
                fields.enforcement.clone_from(&text);
                text.is_some()
            }
            "description" => {
                fields.description = text.clone().unwrap_or_default();
                text.is_some()
            }
            "query" if kind == GroupKind::Queries => {
                fields.query.clone_from(&text);
                text.is_some()
            }
            "enabled" => {
                // What is no plain `false` stays enabled: a gate isn't opened by a typing error.
                fields.enabled = attribute.value.as_bool() != Some(false);
                attribute.value.as_bool().is_some()
            }
            _ => {
                let unknown = located(
                    file,
                    attribute,
                    format!("`{key}` means nothing in a policy block"),
                    "use enabled, enforcement_level, description (and query in policies.hcl)",
                );
                fields.problems.push(unknown.warning());
                continue;
            }
        };
        if !understood {
            fields.problems.push(located(
                file,
                attribute,
                format!("the value of `{key}` is no constant of the right type"),
                "write text in quotes, or true or false for enabled",
            ));
        }
    }
    fields
}

fn located(file: &SourceFile, at: &impl Span, message: String, remedy: &str) -> Problem {
    let problem = Problem::of_file(&file.path, message, remedy);
    match place(file, at) {
        Some((line, column)) => problem.at(line, column),
        None => problem,
    }
}

/// Line and column of something parsed, from 1.
fn place(file: &SourceFile, at: &impl Span) -> Option<(u32, u32)> {
    let before = file.text.get(..at.span()?.start)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next()?.chars().count() + 1;
    Some((line.try_into().ok()?, column.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::Enforcement;
    use super::*;

    fn manifest(kind: GroupKind, text: &str) -> Manifest {
        read(&SourceFile::new("m.hcl", text), kind).unwrap()
    }

    #[test]
    fn policies_with_levels_are_read() {
        let read = manifest(
            GroupKind::Files,
            "version = \"v1\"\npolicy \"tags\" {\n  enabled = true\n  enforcement_level = \"soft-mandatory\"\n}\n\
             policy \"cost\" {\n  enabled = false\n  enforcement_level = \"advisory\"\n}\n",
        );
        assert!(read.problems.is_empty());
        let [tags, cost] = &read.entries[..] else {
            panic!("two entries");
        };
        assert_eq!(tags.enforcement, Enforcement::SoftMandatory);
        assert!(tags.enabled && !cost.enabled);
    }

    #[test]
    fn what_is_not_understood_is_strict_and_located() {
        let read = manifest(
            GroupKind::Files,
            "policy \"tags\" {\n  enabled = var.x\n  enforcement_level = \"hard\"\n}\n",
        );
        let entry = &read.entries[0];
        assert!(entry.enabled);
        assert_eq!(entry.enforcement, Enforcement::HardMandatory);
        assert_eq!(entry.problems[0].line, Some(2));
        assert!(entry.problems.iter().all(Problem::is_error));
    }

    #[test]
    fn queries_are_read_from_policy_sets() {
        let read = manifest(
            GroupKind::Queries,
            "policy \"a\" {\n  query = \"data.terraform.policies.a.deny\"\n  enforcement_level = \"mandatory\"\n}\npolicy \"b\" {}\n",
        );
        assert_eq!(
            read.entries[0].query.as_deref(),
            Some("data.terraform.policies.a.deny")
        );
        assert_eq!(read.entries[0].enforcement, Enforcement::Mandatory);
        assert_eq!(read.entries[1].enforcement, Enforcement::Advisory);
        assert!(read.entries[1].problems[0].message.contains("no query"));
    }

    #[test]
    fn broken_hcl_is_located() {
        let problem = read(
            &SourceFile::new("m.hcl", "policy \"a\" {\n  x = \n}\n"),
            GroupKind::Files,
        )
        .unwrap_err();
        assert_eq!(problem.line, Some(2));
    }
}
