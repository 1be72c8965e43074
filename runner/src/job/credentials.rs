//! The files of provider configurations: written before a step, gone as soon as nothing runs any more.
//!
//! They lie beside the configuration and not in it, so that no archive of the working tree has them.

use std::io;
use std::path::{Component, Path, PathBuf};

use protocol::v1::Credentials;

use super::StepDir;

/// Below the step directory.
pub(super) const DIRECTORY: &str = "credentials";
/// Stands for the directory in values and files.
const PLACE: &str = "${TERRANE_CREDENTIALS}";

/// The text with the directory in it.
pub(super) fn placed(text: &str, directory: &str) -> String {
    text.replace(PLACE, directory)
}

/// Writes the files, each readable by the step's owner alone. `directory` is where the step sees them.
///
/// # Errors
/// The file system's own; `InvalidInput` for a path that leads elsewhere.
pub(super) fn write(step: &StepDir, credentials: &Credentials, directory: &str) -> io::Result<()> {
    step.make_directories(DIRECTORY)?;
    for file in &credentials.files {
        let path = below(&file.path)?;
        if let Some(parent) = path.parent() {
            step.make_directories(parent)?;
        }
        let content = match std::str::from_utf8(&file.content) {
            Ok(text) => placed(text, directory).into_bytes(),
            Err(_) => file.content.to_vec(),
        };
        step.write(&path, &content, 0o600)?;
    }
    Ok(())
}

fn below(path: &str) -> io::Result<PathBuf> {
    let path = Path::new(path);
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if plain && path.components().next().is_some() {
        return Ok(Path::new(DIRECTORY).join(path));
    }
    let message = "a file of a provider configuration leads elsewhere";
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Removes what [`write`] wrote, and what the step has put beside it.
///
/// # Errors
/// The file system's own.
pub(super) fn wipe(step: &StepDir) -> io::Result<()> {
    match step.dir().remove_dir_all(DIRECTORY) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use protocol::v1::CredentialFile;

    use super::*;

    fn file(path: &str, content: &str) -> CredentialFile {
        CredentialFile {
            path: path.to_owned(),
            content: content.as_bytes().to_vec().into(),
        }
    }

    fn credentials(files: Vec<CredentialFile>) -> Credentials {
        Credentials {
            files,
            ..Credentials::default()
        }
    }

    #[test]
    fn files_are_written_for_their_owner_and_gone_afterwards() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = tempfile::tempdir().unwrap();
        let step = StepDir::open_existing(scratch.path()).unwrap();
        let given = credentials(vec![
            file("aws/token", "secret"),
            file(
                "aws/aliases/west/config",
                "file = ${TERRANE_CREDENTIALS}/aws/token",
            ),
        ]);
        write(&step, &given, "/step/credentials").unwrap();
        let config = scratch.path().join("credentials/aws/aliases/west/config");
        let text = std::fs::read_to_string(&config).unwrap();
        assert_eq!(text, "file = /step/credentials/aws/token");
        let mode = config.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        wipe(&step).unwrap();
        assert!(!scratch.path().join(DIRECTORY).exists());
        wipe(&step).unwrap();
    }

    #[test]
    fn no_file_leads_elsewhere() {
        let scratch = tempfile::tempdir().unwrap();
        let step = StepDir::open_existing(scratch.path()).unwrap();
        for path in ["../x", "/etc/x", "a/../../x", "", "./x"] {
            let given = credentials(vec![file(path, "x")]);
            assert!(write(&step, &given, "/c").is_err(), "{path:?}");
        }
    }
}
