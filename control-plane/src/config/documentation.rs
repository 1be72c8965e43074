//! `docs/configuration.md`, out of the definitions.

use std::fmt::Write;

use super::Config;
use super::layers::variable_of;
use super::setting::{Definition, Section, Shape};

const HEAD: &str = "\
# Configuration

`terrane serve --config terrane.toml` reads a TOML file. Every setting can also be given in the
environment, as `TERRANE__SECTION__KEY`, which wins over the file. A list is written with commas
there. A secret can lie in a file of its own: add `_file` to its name and give the file's path.

`terrane serve --config terrane.toml --check-config` lists every mistake and exits: 0 if there is
none, 64 if there are some. A setting that doesn't exist is a mistake.

This page is generated from the definitions in `control-plane/src/config/sections.rs`; to write it
anew, run `UPDATE_DOCS=1 cargo test -p control-plane configuration_page`.
";

/// Every setting, as a page of Markdown.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for section in Config::SECTIONS {
        write_section(&mut page, section);
    }
    page
}

fn write_section(page: &mut String, section: &Section) {
    let title = if section.name.is_empty() {
        "Top level".to_owned()
    } else {
        format!("`[{}]`", section.name)
    };
    let about = paragraph(section.documentation);
    // Writing to a String can't fail.
    let _ = write!(page, "\n## {title}\n\n{about}\n\n");
    page.push_str("| setting | default | meaning | environment |\n|---|---|---|---|\n");
    for setting in section.settings {
        write_setting(page, section, setting);
    }
}

fn write_setting(page: &mut String, section: &Section, setting: &Definition) {
    let key = match setting.shape {
        Shape::Secret => format!("`{0}`, `{0}_file`", setting.key),
        Shape::Text | Shape::Whole | Shape::Flag | Shape::List => format!("`{}`", setting.key),
    };
    let default = match setting.default {
        Some("") => "empty".to_owned(),
        Some(default) => format!("`{default}`"),
        None if setting.required => "required".to_owned(),
        None => "–".to_owned(),
    };
    let meaning = paragraph(setting.documentation).replace('|', "\\|");
    let variable = variable_of(&section.path(setting.key));
    let _ = writeln!(page, "| {key} | {default} | {meaning} | `{variable}` |");
}

fn paragraph(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ")
}
