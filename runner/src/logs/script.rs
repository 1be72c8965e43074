//! Which output of which command goes into which stream, and in what order.

use std::path::PathBuf;

use terraform::lines::Renderer;

/// One of the two streams of a phase, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// What people read.
    Text,
    /// terraform's own JSON lines behind the header.
    Json,
}

impl Stream {
    /// The name in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// How a command's output becomes part of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Raw,
    /// JSON lines, rendered for people.
    Rendered(Renderer),
}

/// The output of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Index of the command in the step.
    pub command: usize,
    /// Relative to the step directory.
    pub file: PathBuf,
    pub form: Form,
    /// Only worth showing if the command failed.
    pub only_on_failure: bool,
}

/// A whole stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub header: String,
    pub segments: Vec<Segment>,
}

/// The three lines that begin every log of a phase; clients drop them by count.
pub fn header(engine: &str, version: &str) -> String {
    let name = if engine == "tofu" {
        "OpenTofu"
    } else {
        "Terraform"
    };
    let version = if version.is_empty() {
        String::new()
    } else {
        format!(" v{version}")
    };
    let os = std::env::consts::OS;
    format!(
        "{name}{version}\non {os}_{}\nInitializing plugins and modules...\n",
        architecture()
    )
}

/// The machine's architecture as Go names it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

impl Script {
    /// The log of a step whose commands are called `commands`, in order.
    pub fn new(stream: Stream, header: String, commands: &[&str]) -> Self {
        let segments = commands
            .iter()
            .enumerate()
            .flat_map(|(index, name)| segments_of(stream, index, name))
            .collect();
        Self { header, segments }
    }
}

fn segments_of(stream: Stream, command: usize, name: &str) -> Vec<Segment> {
    let segment = |channel: &str, form, only_on_failure| Segment {
        command,
        file: PathBuf::from(step::files::OUTPUT).join(format!("{name}.{channel}")),
        form,
        only_on_failure,
    };
    let main = |renderer| match stream {
        Stream::Text => Form::Rendered(renderer),
        Stream::Json => Form::Raw,
    };
    match (name, stream) {
        ("plan", _) => vec![
            segment("stdout", main(Renderer::Plan), false),
            segment("stderr", Form::Raw, false),
        ],
        // What is planned again is shown by `show`; only what went wrong is worth saying.
        ("plan-again", _) => vec![
            segment("stdout", main(Renderer::Plan), true),
            segment("stderr", Form::Raw, true),
        ],
        ("apply", _) => vec![
            segment("stdout", main(Renderer::Apply), false),
            segment("stderr", Form::Raw, false),
        ],
        ("show", Stream::Text) => vec![
            segment("stdout", Form::Raw, false),
            segment("stderr", Form::Raw, true),
        ],
        ("show", Stream::Json) => vec![segment("stderr", Form::Raw, true)],
        ("init" | "init-again", _) => vec![
            segment("stdout", Form::Raw, true),
            segment("stderr", Form::Raw, true),
        ],
        _ => vec![segment("stderr", Form::Raw, true)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_three_lines() {
        for version in ["1.11.4", ""] {
            assert_eq!(header("terraform", version).lines().count(), 3);
        }
        assert!(header("tofu", "1.9.0").starts_with("OpenTofu v1.9.0\non "));
    }

    #[test]
    fn json_clients_get_the_lines_themselves() {
        let script = Script::new(Stream::Json, String::new(), &["init", "plan", "show"]);
        assert_eq!(script.segments[2].form, Form::Raw);
        assert!(
            !script
                .segments
                .iter()
                .any(|it| it.file.ends_with("show.stdout"))
        );
    }
}
