//! Which files of a folder, a repository or an archive policies are made of, and where in it a group
//! lies. What the desk and a control plane take must be the same.

use crate::rego::source::SourceFile;

/// Whether policies, their tests or their manifests can be made of a file of that path. Hidden files
/// and folders are left out.
#[must_use]
pub fn is_wanted(path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    !hidden
        && [".rego", ".json", ".yaml", ".yml", ".hcl"]
            .iter()
            .any(|ending| path.ends_with(ending))
}

/// The files below `folder` (empty: all), with paths relative to it.
#[must_use]
pub fn below(files: &[SourceFile], folder: &str) -> Vec<SourceFile> {
    let prefix = prefix(folder);
    files
        .iter()
        .filter_map(|file| {
            let path = file.path.strip_prefix(&prefix)?;
            Some(SourceFile::new(path, file.text.clone()))
        })
        .collect()
}

/// The files of a group that lies in the folder `path` and uses the common functions in the folder
/// `common`, both from the root of all files. Common files keep their whole paths, so that a mistake
/// in one of them can be found; those that lie inside of the group are common only.
#[must_use]
pub fn group(
    files: &[SourceFile],
    path: &str,
    common: Option<&str>,
) -> (Vec<SourceFile>, Vec<SourceFile>) {
    let Some(common) = common else {
        return (below(files, path), Vec::new());
    };
    let (outer, inner) = (prefix(path), prefix(common));
    // Of two folders, one in the other, the inner one keeps what is its own.
    let group_is_inner = outer.starts_with(&inner);
    let is_common = |file: &&SourceFile| {
        file.path.starts_with(&inner) && !(group_is_inner && file.path.starts_with(&outer))
    };
    let common = files.iter().filter(is_common).cloned().collect();
    let rest: Vec<SourceFile> = files
        .iter()
        .filter(|file| !is_common(file))
        .cloned()
        .collect();
    (below(&rest, path), common)
}

fn prefix(folder: &str) -> String {
    match folder.trim_matches('/') {
        "" => String::new(),
        folder => format!("{folder}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(files: &[SourceFile]) -> Vec<&str> {
        files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn only_what_policies_are_made_of_is_wanted() {
        for good in ["a.rego", "x/y/policies.hcl", "mock.json", "data.yml"] {
            assert!(is_wanted(good), "{good}");
        }
        for bad in ["README.md", ".git/a.rego", "x/.hidden.rego", "main.tf"] {
            assert!(!is_wanted(bad), "{bad}");
        }
    }

    #[test]
    fn a_group_is_its_folder_and_the_common_one() {
        let all: Vec<SourceFile> = ["p/a.rego", "p/lib/c.rego", "px/b.rego", "lib/d.rego"]
            .map(|path| SourceFile::new(path, ""))
            .into();
        let (files, common) = group(&all, "/p/", None);
        assert_eq!(paths(&files), ["a.rego", "lib/c.rego"]);
        assert!(common.is_empty());
        let (files, common) = group(&all, "p", Some("p/lib"));
        assert_eq!(paths(&files), ["a.rego"]);
        assert_eq!(paths(&common), ["p/lib/c.rego"]);
        let (files, common) = group(&all, "p/lib", Some("p"));
        assert_eq!(paths(&files), ["c.rego"]);
        assert_eq!(paths(&common), ["p/a.rego"]);
        let (files, common) = group(&all, "", Some("lib"));
        assert_eq!(paths(&files), ["p/a.rego", "p/lib/c.rego", "px/b.rego"]);
        assert_eq!(paths(&common), ["lib/d.rego"]);
    }
}
