//! A person at a keyboard: drives a program on a pseudo-terminal.
//!
//! The terraform CLI prompts, colours and handles Ctrl-C only on a terminal. `setsid --ctty` makes
//! the pseudo-terminal the program's controlling one, so nothing here forks or needs unsafe code.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

/// How long a program may take to print what is expected of it, on the noisiest machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running program and everything it has printed.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Screen>,
    /// Bytes of the transcript that earlier expectations have consumed.
    read: usize,
}

#[derive(Default)]
struct Screen {
    state: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Terminal {
    /// Starts `program ARGUMENTS` in `directory`, with `environment` on top of this process's own.
    pub fn start(
        directory: &Path,
        program: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Self {
        let (keyboard, terminal) = open();
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(program)
            .args(arguments)
            .current_dir(directory);
        command
            .envs(environment.iter().cloned())
            .env("TERM", "xterm");
        command.stdin(Stdio::from(terminal.try_clone().unwrap()));
        command.stdout(Stdio::from(terminal.try_clone().unwrap()));
        let child = command.stderr(Stdio::from(terminal)).spawn().unwrap();
        let screen = Arc::new(Screen::default());
        watch(keyboard.try_clone().unwrap(), Arc::clone(&screen));
        Self {
            child,
            keyboard,
            screen,
            read: 0,
        }
    }

    /// Waits until one of the texts is printed after what was expected before; tells which.
    ///
    /// # Panics
    /// With the transcript, when the program ends or goes quiet without printing any.
    pub fn expect_any(&mut self, texts: &[&str]) -> usize {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.screen.state.lock();
        loop {
            let fresh = plain(&state.0);
            let found = texts.iter().enumerate().filter_map(|(index, text)| {
                fresh[self.read.min(fresh.len())..]
                    .find(text)
                    .map(|at| (at + text.len(), index))
            });
            if let Some((end, index)) = found.min() {
                self.read += end;
                return index;
            }
            let over = state.1
                || self
                    .screen
                    .changed
                    .wait_until(&mut state, deadline)
                    .timed_out();
            assert!(
                !over,
                "{texts:?} was never printed; the transcript:\n{fresh}"
            );
        }
    }

    /// Waits until `text` is printed after what was expected before.
    ///
    /// # Panics
    /// As [`Self::expect_any`].
    pub fn expect(&mut self, text: &str) -> &mut Self {
        self.expect_any(&[text]);
        self
    }

    /// Types a line and Enter.
    pub fn type_line(&mut self, text: &str) -> &mut Self {
        self.keyboard
            .write_all(format!("{text}\n").as_bytes())
            .unwrap();
        self
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&mut self) -> &mut Self {
        self.keyboard.write_all(b"\x03").unwrap();
        self
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; gives exit status and transcript without escapes.
    pub fn finish(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.screen.state.lock();
        while !state.1 {
            let late = self
                .screen
                .changed
                .wait_until(&mut state, deadline)
                .timed_out();
            assert!(
                !late,
                "the program doesn't end; the transcript:\n{}",
                plain(&state.0)
            );
        }
        let transcript = plain(&state.0);
        drop(state);
        (self.child.wait().unwrap(), transcript)
    }

    /// Everything printed so far, without escapes.
    pub fn transcript(&self) -> String {
        plain(&self.screen.state.lock().0)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn open() -> (File, OwnedFd) {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
    let size = Winsize {
        ws_row: 50,
        ws_col: 140,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&master, size).unwrap();
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    (File::from(master), OwnedFd::from(terminal))
}

/// Collects what is printed until every copy of the terminal's other end is closed.
fn watch(mut output: File, screen: Arc<Screen>) {
    std::thread::spawn(move || {
        let mut chunk = [0; 8192];
        loop {
            match output.read(&mut chunk) {
                Ok(length) if length > 0 => {
                    screen.state.lock().0.extend_from_slice(&chunk[..length])
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => break,
            }
            screen.changed.notify_all();
        }
        screen.state.lock().1 = true;
        screen.changed.notify_all();
    });
}

/// The text without terminal escapes and carriage returns.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\x1b' => match characters.peek() {
                Some('[') => {
                    while characters
                        .next()
                        .is_some_and(|it| !it.is_ascii_alphabetic())
                    {}
                }
                _ => drop(characters.next()),
            },
            '\r' => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_answered_and_the_exit_status_known() {
        let script =
            "printf '\\033[1mname? \\033[0m'; read name; echo hello $name; test -t 1; exit 7";
        let shell = Path::new("/bin/sh");
        let mut terminal = Terminal::start(Path::new("/"), shell, &["-c", script], &[]);
        terminal
            .expect("name? ")
            .type_line("ada")
            .expect("hello ada");
        let (status, transcript) = terminal.finish();
        assert_eq!(status.code(), Some(7));
        assert!(transcript.starts_with("name? ada\n"), "{transcript:?}");
    }

    #[test]
    fn control_c_reaches_the_program() {
        let script = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.1; done";
        let shell = Path::new("/bin/sh");
        let mut terminal = Terminal::start(Path::new("/"), shell, &["-c", script], &[]);
        terminal.expect("ready").interrupt().expect("caught");
        assert_eq!(terminal.finish().0.code(), Some(3));
    }
}
