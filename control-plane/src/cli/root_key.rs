//! The installation key from where the configuration says that it is.

use std::process::{Command, Stdio};

use domain::Secret;
use vault::{InstallationKey, RootKeyError, RootKeySource};

use crate::config::Config;

/// In a setting: the environment, or a file that the configuration has read.
#[derive(Debug)]
struct Setting {
    name: &'static str,
    text: Secret,
}

impl RootKeySource for Setting {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn fetch(&self) -> Result<Secret, String> {
        Ok(self.text.clone())
    }
}

/// What a program prints: every key service has one that decrypts.
#[derive(Debug)]
struct Program<'a> {
    name: &'static str,
    words: &'a [String],
}

impl RootKeySource for Program<'_> {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn fetch(&self) -> Result<Secret, String> {
        let (program, arguments) = self.words.split_first().ok_or("it is empty")?;
        let output = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{program} can't be run: {error}"))?;
        if output.status.success() {
            let text = String::from_utf8(output.stdout);
            return text
                .map(Secret::new)
                .map_err(|_| "it prints no text".to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim().lines().last().unwrap_or("it says nothing");
        Err(format!("{program} ended with {}: {last}", output.status))
    }
}

fn of(
    text: Option<&Secret>,
    words: &[String],
    (setting, command): (&'static str, &'static str),
) -> Result<Option<InstallationKey>, RootKeyError> {
    match text {
        Some(text) => {
            let (name, text) = (setting, text.clone());
            InstallationKey::of(&Setting { name, text }).map(Some)
        }
        None if words.is_empty() => Ok(None),
        None => InstallationKey::of(&Program {
            name: command,
            words,
        })
        .map(Some),
    }
}

/// The key that seals; none if the configuration names none.
pub(super) fn current(config: &Config) -> Result<Option<InstallationKey>, RootKeyError> {
    let keys = &config.keys;
    let names = ("keys.installation_key", "keys.installation_key_command");
    of(
        keys.installation_key.as_ref(),
        &keys.installation_key_command,
        names,
    )
}

/// The key before it, while there is something under it.
pub(super) fn earlier(config: &Config) -> Result<Option<InstallationKey>, RootKeyError> {
    let keys = &config.keys;
    let names = (
        "keys.earlier_installation_key",
        "keys.earlier_installation_key_command",
    );
    of(
        keys.earlier_installation_key.as_ref(),
        &keys.earlier_installation_key_command,
        names,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(script: &str) -> Result<InstallationKey, String> {
        let words = ["sh", "-c", script].map(str::to_owned);
        let program = Program {
            name: "a command",
            words: &words,
        };
        InstallationKey::of(&program).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_prints_the_key() {
        let key = InstallationKey::generate();
        let text = key.to_text().expose().clone();
        assert_eq!(asked(&format!("echo {text}")).unwrap().id(), key.id());
    }

    #[test]
    fn a_command_that_fails_is_quoted_and_what_it_prints_is_not() {
        let failed = asked("echo secret-key; echo no such key >&2; exit 3").unwrap_err();
        assert!(failed.contains("no such key"), "{failed}");
        let odd = asked("echo secret-key").unwrap_err();
        for error in [failed, odd] {
            assert!(
                error.contains("a command") && !error.contains("secret-key"),
                "{error}"
            );
        }
    }
}
