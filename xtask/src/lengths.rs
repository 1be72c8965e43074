//! How long source files are: half of them short, none too long.

use std::path::Path;

use anyhow::Result;
use walkdir::WalkDir;
use workshop::Tree;

/// Lines of a file outside tests.
const LIMIT: usize = 500;
/// What the median should stay under.
const MEDIAN: usize = 150;

/// Reports the median; gives a problem for each file over the limit.
pub(crate) fn check(tree: &Tree) -> Result<Vec<String>> {
    let mut lengths = Vec::new();
    let mut problems = Vec::new();
    for entry in WalkDir::new(&tree.root)
        .into_iter()
        .filter_entry(|entry| is_source(entry.path()))
    {
        let path = entry?.into_path();
        if path.extension().is_none_or(|extension| extension != "rs") || is_test(&tree.root, &path)
        {
            continue;
        }
        let lines = outside_tests(&std::fs::read_to_string(&path)?);
        if lines > LIMIT {
            problems.push(format!(
                "{} has {lines} lines; the limit is {LIMIT}",
                path.display()
            ));
        }
        lengths.push(lines);
    }
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    eprintln!(
        "floors: {} source files, median {median} lines, longest {}",
        lengths.len(),
        lengths.last().unwrap_or(&0)
    );
    if median > MEDIAN {
        problems.push(format!(
            "the median file has {median} lines; it should stay under {MEDIAN}"
        ));
    }
    Ok(problems)
}

fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !matches!(name.as_ref(), "target" | "node_modules") && !name.starts_with(".git")
}

fn is_test(root: &Path, path: &Path) -> bool {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
}

/// Lines before the inline test module.
fn outside_tests(text: &str) -> usize {
    let mut count = 0;
    let mut previous = "";
    for line in text.lines() {
        if previous == "#[cfg(test)]" && line.starts_with("mod tests {") {
            return count - 1;
        }
        previous = line;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inline_tests_don_t_count() {
        assert_eq!(outside_tests("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(outside_tests("a\n#[cfg(test)]\nmod tests;\nb\n"), 4);
    }
}
