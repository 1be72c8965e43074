//! A step's description, checked before anything is done.

use std::collections::BTreeSet;
use std::path::Path;

use step::{Command, Spec, StateMode, StateSpec};

use crate::paths::is_inside;

/// # Errors
/// The first mistake, in words.
pub(crate) fn check(spec: &Spec) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for command in &spec.commands {
        check_command(command)?;
        if !names.insert(&command.name) {
            return Err(format!("two commands are named {}", command.name));
        }
    }
    if spec
        .env
        .keys()
        .any(|name| name.is_empty() || name.contains(['=', '\0']))
    {
        return Err("a variable of the environment has no usable name".to_owned());
    }
    let sandbox = &spec.sandbox;
    if sandbox
        .read_only
        .iter()
        .chain(&sandbox.read_write)
        .any(|path| !path.is_absolute())
    {
        return Err("a path of the sandbox is not absolute".to_owned());
    }
    spec.state.as_ref().map_or(Ok(()), check_state)
}

fn check_command(command: &Command) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if command.name.is_empty() || !command.name.bytes().all(plain) {
        return Err(format!("{:?} is no name for a command", command.name));
    }
    if !command
        .argv
        .first()
        .is_some_and(|program| Path::new(program).is_absolute())
    {
        return Err(format!(
            "the program of {} has no absolute path",
            command.name
        ));
    }
    if !is_inside(&command.working_directory) {
        return Err(format!(
            "the working directory of {} is not in the step",
            command.name
        ));
    }
    if command.stdout.as_ref().is_some_and(|path| !is_inside(path)) {
        return Err(format!(
            "the output file of {} is not in the step",
            command.name
        ));
    }
    Ok(())
}

fn check_state(state: &StateSpec) -> Result<(), String> {
    if !is_inside(&state.file) {
        return Err("the state file is not in the step".to_owned());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let secret = &state.path_secret;
    if state.mode == StateMode::Http && (secret.len() < 16 || !secret.bytes().all(plain)) {
        return Err("the state backend's path secret is not usable".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn command(name: &str, program: &str, directory: &str) -> Command {
        Command {
            name: name.into(),
            argv: vec![program.into()],
            working_directory: directory.into(),
            success: vec![0],
            optional: false,
            writes_state: false,
            stdout: None,
        }
    }

    #[test]
    fn names_and_paths_stay_in_the_step() {
        assert!(check_command(&command("plan-1", "/bin/true", "config")).is_ok());
        assert!(check_command(&command("Plan", "/bin/true", "config")).is_err());
        assert!(check_command(&command("../x", "/bin/true", "config")).is_err());
        assert!(check_command(&command("plan", "true", "config")).is_err());
        assert!(check_command(&command("plan", "/bin/true", "../other")).is_err());
        let outside = Command {
            stdout: Some(PathBuf::from("/etc/passwd")),
            ..command("plan", "/bin/true", "config")
        };
        assert!(check_command(&outside).is_err());
    }
}
