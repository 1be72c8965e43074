//! Which backend terraform uses inside a step, and the override file that says so.
//!
//! An override file replaces whatever `cloud` or `backend` block the configuration has. The plan
//! file keeps what the override says, so a local path is relative (the apply runs in another
//! directory) and the HTTP backend is empty (its address comes from the environment, which may
//! differ between plan and apply).

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use step::StateMode;

/// Where the state of a local backend lies, relative to the step directory.
pub const STATE: &str = "state";
const FILE: &str = "terraform.tfstate";
const OVERRIDE: &str = "terrane_override.tf";
/// From this size on a state is kept through the HTTP backend.
const LARGE_STATE: u64 = 2 * 1024 * 1024;
/// A configuration file longer than this is not searched whole.
const SEARCHED: u64 = 8 * 1024 * 1024;

/// The state file, relative to the step directory. `terraform.workspace` has the workspace's name
/// because terraform selects it as one of the local backend's workspaces.
pub fn state_file(mode: StateMode, workspace: &str) -> PathBuf {
    let directory = Path::new(STATE);
    match mode {
        StateMode::Local if workspace != "default" => directory.join(workspace).join(FILE),
        StateMode::Local | StateMode::Http => directory.join(FILE),
    }
}

/// The content of the override file; `depth` is how many directories the working directory lies
/// below the step directory.
pub fn override_text(mode: StateMode, depth: usize) -> String {
    match mode {
        StateMode::Http => "terraform {\n  backend \"http\" {}\n}\n".to_owned(),
        StateMode::Local => {
            let up = "../".repeat(depth);
            format!(
                "terraform {{\n  backend \"local\" {{\n    path          = \"{up}{STATE}/{FILE}\"\n    \
                 workspace_dir = \"{up}{STATE}\"\n  }}\n}}\n"
            )
        }
    }
}

/// A name for the override file that sorts after every other one in the directory, as the last
/// override wins.
pub fn override_name<'a>(existing: impl IntoIterator<Item = &'a str>) -> String {
    let existing: Vec<&str> = existing.into_iter().collect();
    let mut name = format!("zz_{OVERRIDE}");
    while existing
        .iter()
        .any(|other| *other > name.as_str() && other.contains("override.t"))
    {
        name.insert(0, 'z');
        if name.len() > 200 {
            break;
        }
    }
    name
}

/// What decides about the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'a> {
    /// auto | local | http
    pub setting: &'a str,
    pub state_bytes: u64,
    /// The configuration asks for `terraform.workspace`, which the HTTP backend can't give.
    pub names_workspace: bool,
}

/// The mode for a plan.
pub fn choose(choice: Choice<'_>) -> StateMode {
    match choice.setting {
        "local" => StateMode::Local,
        "http" => StateMode::Http,
        _ if choice.state_bytes >= LARGE_STATE && !choice.names_workspace => StateMode::Http,
        _ => StateMode::Local,
    }
}

/// Whether any file of the configuration or its modules contains `needle` as a word. Comments
/// count too: a wrong yes costs nothing but speed.
///
/// # Errors
/// The file system's own.
pub fn mentions(config: &Dir, needle: &str) -> io::Result<bool> {
    for entry in config.entries()? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name();
        if kind.is_dir() {
            if name != ".git" && name != "providers" && mentions(&entry.open_dir()?, needle)? {
                return Ok(true);
            }
        } else if kind.is_file() && is_configuration(&name.to_string_lossy()) {
            let mut text = Vec::new();
            entry.open()?.take(SEARCHED).read_to_end(&mut text)?;
            if text.len() as u64 == SEARCHED || contains(&text, needle.as_bytes()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn is_configuration(name: &str) -> bool {
    [
        ".tf",
        ".tf.json",
        ".tofu",
        ".tofu.json",
        ".tfvars",
        ".tfvars.json",
    ]
    .iter()
    .any(|ending| name.ends_with(ending))
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_state_goes_over_http_unless_the_workspace_is_named() {
        let choice = Choice {
            setting: "auto",
            state_bytes: LARGE_STATE,
            names_workspace: false,
        };
        assert_eq!(choose(choice), StateMode::Http);
        assert_eq!(
            choose(Choice {
                names_workspace: true,
                ..choice
            }),
            StateMode::Local
        );
        assert_eq!(
            choose(Choice {
                state_bytes: 5,
                ..choice
            }),
            StateMode::Local
        );
        assert_eq!(
            choose(Choice {
                setting: "http",
                ..choice
            }),
            StateMode::Http
        );
    }

    #[test]
    fn the_state_path_is_relative_to_the_working_directory() {
        let text = override_text(StateMode::Local, 2);
        assert!(text.contains("\"../../state/terraform.tfstate\""), "{text}");
        assert_eq!(
            state_file(StateMode::Local, "net"),
            Path::new("state/net/terraform.tfstate")
        );
        assert_eq!(
            state_file(StateMode::Local, "default"),
            Path::new("state/terraform.tfstate")
        );
    }

    #[test]
    fn our_override_is_the_last_one() {
        assert_eq!(
            override_name(["main.tf", "zzz.tf"]),
            "zz_terrane_override.tf"
        );
        let name = override_name(["zzz_override.tf"]);
        assert!(name.as_str() > "zzz_override.tf", "{name}");
    }

    #[test]
    fn modules_are_searched_too() {
        let directory = tempfile::tempdir().unwrap();
        let module = directory.path().join("modules/a");
        std::fs::create_dir_all(&module).unwrap();
        std::fs::write(module.join("main.tf"), "x = terraform.workspace").unwrap();
        std::fs::write(directory.path().join("notes.md"), "other.word").unwrap();
        let dir = Dir::open_ambient_dir(directory.path(), cap_std::ambient_authority()).unwrap();
        assert!(mentions(&dir, "terraform.workspace").unwrap());
        assert!(!mentions(&dir, "other.word").unwrap());
    }
}
