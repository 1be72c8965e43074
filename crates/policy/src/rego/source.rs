//! A source file, and what is refused before a parser sees it.
//!
//! The parser's work grows steeply with nesting, and nothing can interrupt it from inside, so a
//! bound is set on what it gets.

use serde::{Deserialize, Serialize};

use crate::Problem;

/// Largest source file, in bytes.
pub const MAX_SOURCE_BYTES: usize = 1024 * 1024;
/// Deepest nesting of brackets.
pub const MAX_NESTING: usize = 24;
/// Longest line, in characters: mocks are often one long line.
pub(crate) const MAX_COLUMNS: u32 = 65_536;
/// Most lines of a file.
pub(crate) const MAX_LINES: usize = 50_000;

/// One file of a group: its path (with `/`, relative) and its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    pub path: String,
    pub text: String,
}

impl SourceFile {
    /// A file with this path and text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The folder, empty at the top.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// Whether it is Rego.
    #[must_use]
    pub fn is_rego(&self) -> bool {
        self.path.ends_with(".rego")
    }

    /// Whether its name says that it holds tests: `NAME_test.rego` or `NAME.test.rego`.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.ends_with("_test.rego") || self.path.ends_with(".test.rego")
    }

    /// The name without `.rego` and without the mark of a test.
    #[must_use]
    pub fn stem(&self) -> &str {
        let name = self.name();
        let name = name.strip_suffix(".rego").unwrap_or(name);
        name.strip_suffix("_test")
            .or_else(|| name.strip_suffix(".test"))
            .unwrap_or(name)
    }
}

/// Refuses what the parser must not be given.
pub(crate) fn admit(file: &SourceFile) -> Result<(), Problem> {
    if file.text.len() > MAX_SOURCE_BYTES {
        return Err(Problem::of_file(
            &file.path,
            format!("the file has {} bytes", file.text.len()),
            format!("keep a policy below {MAX_SOURCE_BYTES} bytes; put tables into data documents"),
        ));
    }
    if let Some((line, column)) = too_deep(&file.text) {
        return Err(Problem::of_file(
            &file.path,
            format!("brackets are nested more than {MAX_NESTING} deep"),
            "name inner parts as rules or functions of their own",
        )
        .at(line, column));
    }
    Ok(())
}

/// Where the nesting passes [`MAX_NESTING`], outside of strings and comments.
fn too_deep(text: &str) -> Option<(u32, u32)> {
    let (mut depth, mut line, mut column) = (0_usize, 1_u32, 0_u32);
    let mut inside = Inside::Code;
    let mut escaped = false;
    for character in text.chars() {
        column += 1;
        if character == '\n' {
            line += 1;
            column = 0;
        }
        match inside {
            Inside::Code => match character {
                '#' => inside = Inside::Comment,
                '"' => inside = Inside::String,
                '`' => inside = Inside::Raw,
                '(' | '[' | '{' => {
                    depth += 1;
                    if depth > MAX_NESTING {
                        return Some((line, column));
                    }
                }
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            },
            Inside::Comment if character == '\n' => inside = Inside::Code,
            Inside::Raw if character == '`' => inside = Inside::Code,
            // A string can't run over a line's end; one that does is an error of the parser's.
            Inside::String if character == '\n' || (character == '"' && !escaped) => {
                inside = Inside::Code;
            }
            Inside::Comment | Inside::Raw | Inside::String => {}
        }
        escaped = inside == Inside::String && character == '\\' && !escaped;
    }
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    Comment,
    String,
    Raw,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_outside_of_strings_and_comments() {
        let deep = "[".repeat(MAX_NESTING + 1);
        let at = |text: String| admit(&SourceFile::new("a.rego", text)).err();
        assert!(at(format!("x := \"\\\"{deep}\"")).is_none());
        assert!(at(format!("# {deep}\nx := `{deep}`")).is_none());
        let problem = at(format!("x := 1\n# ok\ny := {deep}")).unwrap();
        assert_eq!((problem.line, problem.column), (Some(3), Some(30)));
        assert!(at("[]".repeat(1000)).is_none());
    }

    #[test]
    fn names_tell_tests_and_what_they_test() {
        let file = |path: &str| SourceFile::new(path, "");
        assert_eq!(file("a/tags_test.rego").stem(), "tags");
        assert_eq!(file("a/tags.test.rego").stem(), "tags");
        assert!(file("a/tags.test.rego").is_test());
        assert_eq!(file("a/b/tags.rego").folder(), "a/b");
        assert!(!file("test_tags.rego").is_test());
    }
}
