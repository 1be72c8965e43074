//! The list of what is covered, in docs/cost.md, is the rules' own.

use std::fmt::Write as _;

const START: &str = "<!-- generated: UPDATE_DOCS=1 cargo test -p cost --test coverage -->\n";
const END: &str = "<!-- end -->";

#[test]
fn the_documented_coverage_is_that_of_the_rules() {
    let rules = cost::Rules::embedded().unwrap();
    let mut list = String::new();
    for (name, prefix) in [
        ("AWS", "aws_"),
        ("Azure", "azurerm_"),
        ("Google", "google_"),
    ] {
        let priced: Vec<String> = rules
            .priced_types()
            .filter(|kind| kind.starts_with(prefix))
            .map(|kind| format!("`{kind}`"))
            .collect();
        let free = rules
            .free_types()
            .filter(|kind| kind.starts_with(prefix))
            .count();
        let count = priced.len();
        writeln!(
            list,
            "\n**{name}**: {count} types with rules, {free} known to cost nothing.\n"
        )
        .unwrap();
        writeln!(list, "{}", priced.join(", ")).unwrap();
    }
    list.push('\n');
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cost.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, rest) = page.split_once(START).unwrap();
    let (found, tail) = rest.split_once(END).unwrap();
    if std::env::vars().any(|(name, _)| name == "UPDATE_DOCS") {
        std::fs::write(path, format!("{head}{START}{list}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(
        found, list,
        "run UPDATE_DOCS=1 cargo test -p cost --test coverage"
    );
}

/// A type is either priced by a rule or known to be free.
#[test]
fn no_type_is_both_priced_and_free() {
    let rules = cost::Rules::embedded().unwrap();
    let both: Vec<&str> = rules
        .free_types()
        .filter(|kind| rules.priced_types().any(|other| other == *kind))
        .collect();
    assert!(both.is_empty(), "{both:?}");
}
