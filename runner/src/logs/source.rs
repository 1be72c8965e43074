//! Makes one log stream out of the raw output of a step.
//!
//! [`Renderer`](Rendering) is the pure part: bytes of segments in, log bytes out. [`LogSource`]
//! feeds it from the files of a step directory, as far as they have been written.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read};

use terraform::lines::{Line, LineBuffer};

use crate::job::StepDir;

use super::dump::DumpGuard;
use super::mask::{Masker, Secrets};
use super::script::{Form, Script, Segment};

/// A stream longer than this is cut.
const MOST: u64 = 256 * 1024 * 1024;
const CUT: &[u8] = b"\n[The log is cut here: it is longer than 256 MiB.]\n";
const READ: usize = 64 * 1024;
/// Mark the beginning and the end of a log on its way to clients; must not occur inside.
const MARKERS: [u8; 2] = [0x02, 0x03];

/// How far a step has come, as far as its log is concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepProgress {
    /// Index of the command that runs.
    pub current: Option<usize>,
    pub end: Option<StepEnd>,
}

/// How a step ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepEnd {
    /// Commands that ended without success.
    pub failed: BTreeSet<usize>,
    /// What is said at the end of both streams.
    pub trailer: String,
}

impl StepProgress {
    fn finished(&self, command: usize) -> bool {
        self.end.is_some() || self.current.is_some_and(|current| current > command)
    }

    fn failed(&self, command: usize) -> bool {
        self.end
            .as_ref()
            .is_some_and(|end| end.failed.contains(&command))
    }
}

/// The pure part: header, rendering, masking.
#[derive(Debug)]
pub struct Rendering {
    masker: Masker,
    lines: LineBuffer,
    dump: DumpGuard,
    last: u8,
    total: u64,
    cut: bool,
}

impl Rendering {
    /// Begins a stream; its header goes to `out`.
    pub fn begin(header: &str, secrets: Secrets, out: &mut Vec<u8>) -> Self {
        let mut rendering = Self {
            masker: Masker::new(secrets),
            lines: LineBuffer::default(),
            dump: DumpGuard::default(),
            last: b'\n',
            total: 0,
            cut: false,
        };
        rendering.emit(header.as_bytes(), out);
        rendering
    }

    /// The next bytes of a segment.
    pub fn push(&mut self, form: Form, bytes: &[u8], out: &mut Vec<u8>) {
        let safe = self.dump.push(bytes);
        self.render(form, &safe, out);
    }

    fn render(&mut self, form: Form, bytes: &[u8], out: &mut Vec<u8>) {
        match form {
            Form::Raw => self.emit(bytes, out),
            Form::Rendered(renderer) => {
                self.lines.push(bytes);
                while let Some(line) = self.lines.next_line() {
                    if let Some(text) = renderer.render(&Line::parse(&line)) {
                        self.emit(text.as_bytes(), out);
                    }
                }
            }
        }
    }

    /// The segment has ended; the next one begins on a line of its own.
    pub fn end_segment(&mut self, form: Form, out: &mut Vec<u8>) {
        let rest = std::mem::take(&mut self.dump).end();
        self.render(form, &rest, out);
        if let Form::Rendered(renderer) = form {
            while let Some(line) = self.lines.rest() {
                if let Some(text) = renderer.render(&Line::parse(&line)) {
                    self.emit(text.as_bytes(), out);
                }
            }
        }
        if self.last != b'\n' {
            self.emit(b"\n", out);
        }
    }

    /// The stream has ended.
    pub fn end(&mut self, trailer: &str, out: &mut Vec<u8>) {
        self.emit(trailer.as_bytes(), out);
        self.masker.finish(out);
    }

    fn emit(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(last) = bytes.last() else { return };
        if self.cut {
            return;
        }
        self.last = *last;
        self.total += bytes.len() as u64;
        if self.total > MOST {
            self.cut = true;
            self.masker.push(CUT, out);
        } else if bytes.iter().any(|byte| MARKERS.contains(byte)) {
            let clean: Vec<u8> = bytes
                .iter()
                .copied()
                .filter(|byte| !MARKERS.contains(byte))
                .collect();
            self.masker.push(&clean, out);
        } else {
            self.masker.push(bytes, out);
        }
    }
}

/// Whether there may be more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// There is more to read at once.
    More,
    /// Nothing more for now.
    Waiting,
    Ended,
}

/// One stream of one step, read from its files.
#[derive(Debug)]
pub struct LogSource {
    step: StepDir,
    script: Script,
    rendering: Option<Rendering>,
    secrets: Secrets,
    segment: usize,
    file: Option<File>,
    ended: bool,
}

impl LogSource {
    /// `step` is the step directory.
    pub fn new(step: StepDir, script: Script, secrets: Secrets) -> Self {
        Self {
            step,
            script,
            rendering: None,
            secrets,
            segment: 0,
            file: None,
            ended: false,
        }
    }

    /// Appends what has become known to `out`, about [`READ`] bytes of output at a time.
    ///
    /// # Errors
    /// When an output file can't be read.
    pub fn read(&mut self, progress: &StepProgress, out: &mut Vec<u8>) -> io::Result<Reading> {
        if self.ended {
            return Ok(Reading::Ended);
        }
        let rendering = self.rendering.get_or_insert_with(|| {
            Rendering::begin(&self.script.header, self.secrets.clone(), out)
        });
        while let Some(segment) = self.script.segments.get(self.segment) {
            // Asked before reading: what was written until then is read below.
            let finished = progress.finished(segment.command);
            if segment.only_on_failure {
                if !finished {
                    return Ok(Reading::Waiting);
                }
                if !progress.failed(segment.command) {
                    self.segment += 1;
                    continue;
                }
            }
            let mut buffer = vec![0; READ];
            match read_segment(&self.step, segment, &mut self.file, &mut buffer)? {
                0 if finished => {
                    rendering.end_segment(segment.form, out);
                    self.segment += 1;
                    self.file = None;
                }
                0 => return Ok(Reading::Waiting),
                count => {
                    rendering.push(segment.form, &buffer[..count], out);
                    return Ok(Reading::More);
                }
            }
        }
        let Some(end) = &progress.end else {
            return Ok(Reading::Waiting);
        };
        rendering.end(&end.trailer, out);
        self.ended = true;
        Ok(Reading::Ended)
    }
}

fn read_segment(
    step: &StepDir,
    segment: &Segment,
    file: &mut Option<File>,
    buffer: &mut [u8],
) -> io::Result<usize> {
    if file.is_none() {
        match step.open(&segment.file) {
            Ok(opened) => *file = Some(opened),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        }
    }
    file.as_mut().map_or(Ok(0), |file| file.read(buffer))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terraform::lines::Renderer;

    use super::super::script::{Script, Stream, header};
    use super::*;

    const LINE: &str = r#"{"@level":"info","@message":"a.b: Refreshing state... [id=hunter22]","type":"refresh_start","hook":{}}"#;

    fn whole(source: &mut LogSource, progress: &StepProgress) -> (String, Reading) {
        let mut out = Vec::new();
        loop {
            match source.read(progress, &mut out).unwrap() {
                Reading::More => {}
                state @ (Reading::Waiting | Reading::Ended) => {
                    return (String::from_utf8(out).unwrap(), state);
                }
            }
        }
    }

    fn open(path: &std::path::Path) -> StepDir {
        StepDir::open_existing(path).unwrap()
    }

    fn step() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("output")).unwrap();
        let path = directory.path().to_owned();
        (directory, path)
    }

    #[test]
    fn follows_a_plan_and_masks_it() {
        let (_keep, path) = step();
        let write = |name: &str, text: &str| std::fs::write(path.join("output").join(name), text);
        let script = Script::new(
            Stream::Text,
            header("terraform", "1.11.4"),
            &["init", "plan", "show"],
        );
        let mut source = LogSource::new(open(&path), script.clone(), Secrets::new(["hunter22"]));

        write("init.stdout", "Initializing the backend...\n").unwrap();
        let running = |current| StepProgress {
            current: Some(current),
            end: None,
        };
        let (first, state) = whole(&mut source, &running(0));
        assert_eq!(first, header("terraform", "1.11.4"));
        assert_eq!(state, Reading::Waiting);

        write("plan.stdout", &format!("{LINE}\n")).unwrap();
        let (second, _) = whole(&mut source, &running(1));
        assert_eq!(second, "a.b: Refreshing state... [id=***]\n");

        write("show.stdout", "\nPlan: 1 to add").unwrap();
        let end = StepEnd {
            trailer: "Done hunter22\n".into(),
            ..StepEnd::default()
        };
        let progress = StepProgress {
            current: None,
            end: Some(end),
        };
        let (third, state) = whole(&mut source, &progress);
        assert_eq!(third, "\nPlan: 1 to add\nDone ***\n");
        assert_eq!(state, Reading::Ended);

        let mut again = LogSource::new(open(&path), script, Secrets::new(["hunter22"]));
        assert_eq!(
            whole(&mut again, &progress).0,
            format!("{first}{second}{third}")
        );
    }

    #[test]
    fn a_failed_init_is_shown() {
        let (_keep, path) = step();
        std::fs::write(path.join("output/init.stderr"), "no provider\n").unwrap();
        let script = Script::new(Stream::Json, header("terraform", "1"), &["init", "plan"]);
        let mut source = LogSource::new(open(&path), script, Secrets::new([]));
        let end = StepEnd {
            failed: BTreeSet::from([0]),
            trailer: String::new(),
        };
        let (text, _) = whole(
            &mut source,
            &StepProgress {
                current: None,
                end: Some(end),
            },
        );
        assert!(text.ends_with("modules...\nno provider\n"), "{text}");
    }

    #[test]
    fn markers_never_come_through() {
        let mut out = Vec::new();
        let mut rendering = Rendering::begin("", Secrets::new([]), &mut out);
        rendering.push(Form::Raw, b"a\x02b\x03c", &mut out);
        rendering.end_segment(Form::Raw, &mut out);
        rendering.end("", &mut out);
        assert_eq!(out, b"abc\n");
    }

    #[test]
    fn a_link_in_the_place_of_an_output_is_not_followed() {
        let (_keep, path) = step();
        std::os::unix::fs::symlink("/etc/hostname", path.join("output/plan.stdout")).unwrap();
        let script = Script::new(Stream::Json, String::new(), &["plan"]);
        let mut source = LogSource::new(open(&path), script, Secrets::new([]));
        let progress = StepProgress {
            current: Some(0),
            end: None,
        };
        assert!(source.read(&progress, &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn chunks_of_output_make_no_difference(cut in 0_usize..200, second in 0_usize..200) {
            let text = format!("{LINE}\nstray \x02\n{{}}\n{LINE}");
            let render = |cuts: &[usize]| {
                let form = Form::Rendered(Renderer::Apply);
                let mut out = Vec::new();
                let mut rendering = Rendering::begin("h\n", Secrets::new(["hunter22"]), &mut out);
                let mut from = 0;
                for cut in cuts.iter().copied().chain([text.len()]) {
                    let to = cut.clamp(from, text.len());
                    rendering.push(form, &text.as_bytes()[from..to], &mut out);
                    from = to;
                }
                rendering.end_segment(form, &mut out);
                rendering.end("t", &mut out);
                out
            };
            prop_assert_eq!(render(&[cut.min(second), cut.max(second)]), render(&[]));
        }
    }
}
