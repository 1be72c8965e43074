//! Every code that an error can have has a page in `docs/errors/`, and every page a code.
//!
//! The codes are read out of the source: the literals in each `fn code(&self)` and the second
//! argument of each `ApiError::new`.

use std::collections::BTreeSet;
use std::path::Path;

use super::documents;

/// `area.what-happened`.
fn is_code(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.split_once('.')
        .is_some_and(|(area, what)| word(area) && word(what))
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The string literals of a piece of source.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

/// The text from `start` to the brace that closes its first one.
fn body(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return &text[..at],
            '}' => depth -= 1,
            _ => {}
        }
    }
    text
}

fn codes_of(source: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (at, _) in source.match_indices("fn code(&self)") {
        codes.extend(
            literals(body(&source[at..]))
                .filter(|it| is_code(it))
                .map(str::to_owned),
        );
    }
    for call in ["ApiError::new(", "Self::new("] {
        for (at, _) in source.match_indices(call) {
            let mut arguments = source[at..].chars();
            let start: String = arguments.by_ref().take(200).collect();
            codes.extend(
                literals(&start)
                    .take(1)
                    .filter(|it| is_code(it))
                    .map(str::to_owned),
            );
        }
    }
    codes
}

fn codes() -> BTreeSet<String> {
    let mut texts = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut texts,
    );
    texts.iter().flat_map(|text| codes_of(text)).collect()
}

fn pages() -> BTreeSet<String> {
    let entries = std::fs::read_dir(documents::path("errors")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README")
        .collect()
}

#[test]
fn every_error_code_has_a_page() {
    let (codes, pages) = (codes(), pages());
    assert!(
        codes.contains("workspaces.already-locked"),
        "the search finds nothing: {codes:?}"
    );
    let without: Vec<_> = codes.difference(&pages).collect();
    assert!(
        without.is_empty(),
        "these error codes have no page; write docs/errors/CODE.md for each, with the headings \
         `# CODE`, `## What it means` and `## What to do`:\n{without:#?}"
    );
    let stale: Vec<_> = pages.difference(&codes).collect();
    assert!(
        stale.is_empty(),
        "no error has these codes any more; delete their pages:\n{stale:#?}"
    );
}

#[test]
fn every_error_page_says_what_to_do() {
    for page in pages() {
        let text = std::fs::read_to_string(documents::path(&format!("errors/{page}.md"))).unwrap();
        for heading in [
            &format!("# {page}\n"),
            "\n## What it means\n",
            "\n## What to do\n",
        ] {
            assert!(
                text.contains(heading),
                "docs/errors/{page}.md lacks `{}`",
                heading.trim()
            );
        }
    }
}

#[test]
fn the_search_for_codes_reads_both_forms() {
    let source = r#"
        fn code(&self) -> &'static str { match self { A => "a.b-c", B(x) => x.code() } }
        fn other() { audit("workspace.create"); ApiError::new(Kind::NotFound, "d.e", "f.g") }
    "#;
    let found = codes_of(source);
    assert_eq!(
        found.iter().map(String::as_str).collect::<Vec<_>>(),
        ["a.b-c", "d.e"]
    );
}
