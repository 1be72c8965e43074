//! Where log lines go and what they look like.
//!
//! Always to stderr: stdout belongs to what a command was asked for (`terrane dev --json` prints
//! its one object there).

use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For a person at a terminal.
    #[default]
    Human,
    /// One JSON object a line, for a collector.
    Json,
}

impl Format {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no log format; known are: human, json")]
pub struct UnknownFormat(String);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{filter:?} is no log filter; write for example `info` or `info,control_plane=debug`")]
    Filter { filter: String, source: ParseError },
    #[error("logging was set up twice in one process")]
    AlreadySet,
}

/// Whether `filter` can be used: lets the configuration name the mistake with all the others.
///
/// # Errors
/// [`Error::Filter`].
pub fn check_filter(filter: &str) -> Result<(), Error> {
    parse_filter(filter).map(drop)
}

/// Sends all log lines of this process to stderr. `filter` is in the syntax of `tracing`:
/// `info,control_plane::runs=debug`.
///
/// # Errors
/// [`Error::Filter`]; [`Error::AlreadySet`] on the second call in one process.
pub fn init(format: Format, filter: &str) -> Result<(), Error> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parse_filter(filter)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        Format::Human => builder.try_init(),
        Format::Json => builder
            .json()
            .flatten_event(true)
            .with_ansi(false)
            .try_init(),
    }
    .map_err(|_| Error::AlreadySet)
}

fn parse_filter(filter: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder()
        .parse(filter)
        .map_err(|source| Error::Filter {
            filter: filter.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_named() {
        let error = check_filter("info,[[").unwrap_err();
        assert!(error.to_string().contains("info,[["), "{error}");
        check_filter("info,control_plane::runs=debug").unwrap();
    }

    #[test]
    fn formats_are_read_by_their_names() {
        for format in [Format::Human, Format::Json] {
            assert_eq!(format.as_str().parse::<Format>().unwrap(), format);
        }
        assert!("xml".parse::<Format>().is_err());
    }
}
