//! Output files of a command. The kernel writes them, straight from the command: nothing passes
//! through this process, so its death neither loses nor blocks any output.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use step::{Command, OUTPUT_CAP_MARKER, files};

use crate::paths::Root;

/// The two files of one command.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
    cutters: Vec<Cutter>,
    cap: u64,
}

#[derive(Debug)]
struct Cutter {
    /// Doesn't append.
    file: File,
    has_cut: bool,
}

/// For the command itself.
#[derive(Debug)]
pub(crate) struct Handles {
    pub(crate) stdout: File,
    pub(crate) stderr: File,
}

impl Output {
    /// Makes both files. `cap` in bytes; 0: none.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn create(root: &Root, command: &Command, cap: u64) -> io::Result<(Self, Handles)> {
        let in_output =
            |channel| PathBuf::from(files::OUTPUT).join(format!("{}.{channel}", command.name));
        let stdout = command
            .stdout
            .clone()
            .unwrap_or_else(|| in_output("stdout"));
        let stderr = in_output("stderr");
        let handles = Handles {
            stdout: root.create(&stdout)?,
            stderr: root.create(&stderr)?,
        };
        let cutters = match cap {
            0 => vec![],
            _ => vec![reopen(&handles.stdout)?, reopen(&handles.stderr)?],
        };
        Ok((
            Self {
                stdout,
                stderr,
                cutters,
                cap,
            },
            handles,
        ))
    }

    /// Cuts what has grown past the cap.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn enforce_cap(&mut self) -> io::Result<()> {
        let end = self.cap + OUTPUT_CAP_MARKER.len() as u64;
        for cutter in &mut self.cutters {
            let size = cutter.file.metadata()?.len();
            if size > end || (size > self.cap && !cutter.has_cut) {
                cutter
                    .file
                    .write_all_at(OUTPUT_CAP_MARKER.as_bytes(), self.cap)?;
                cutter.file.set_len(end)?;
                cutter.has_cut = true;
            }
        }
        Ok(())
    }

    pub(crate) fn was_capped(&self) -> bool {
        self.cutters.iter().any(|cutter| cutter.has_cut)
    }
}

fn reopen(file: &File) -> io::Result<Cutter> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(Cutter {
        file: File::options().write(true).open(path)?,
        has_cut: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn cuts_again_and_again_at_the_same_place() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(files::OUTPUT)).unwrap();
        let root = Root::open(directory.path()).unwrap();
        let command = Command {
            name: "apply".into(),
            argv: vec![],
            working_directory: PathBuf::new(),
            success: vec![],
            optional: false,
            writes_state: true,
            stdout: None,
        };
        let (mut output, mut handles) = Output::create(&root, &command, 4).unwrap();
        handles.stdout.write_all(b"1234").unwrap();
        output.enforce_cap().unwrap();
        assert!(!output.was_capped());
        for _ in 0..3 {
            handles.stdout.write_all(b"567890").unwrap();
            output.enforce_cap().unwrap();
            let text = std::fs::read_to_string(root.join(&output.stdout)).unwrap();
            assert_eq!(text, format!("1234{OUTPUT_CAP_MARKER}"));
        }
        assert!(output.was_capped());
    }
}
