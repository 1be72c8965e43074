//! Why a command ends without having done what it was asked for.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::config::Mistakes;

/// As in sysexits.h: EX_CONFIG is 78, but 64 (EX_USAGE) is what operators' scripts were promised.
const BAD_CONFIGURATION: u8 = 64;

/// A sentence for a person, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    sentence: String,
    code: u8,
}

impl Failure {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            code: 1,
        }
    }

    /// What failed, with its causes.
    pub(super) fn failed(what: &str, error: impl Error + 'static) -> Self {
        Self::new(format!("{what}: {}", chain(&error)))
    }

    /// Says it on stderr.
    pub(super) fn report(&self) -> ExitCode {
        super::say::note(&format!("terrane: {}", self.sentence));
        self.code.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        Self {
            sentence: mistakes.to_string(),
            code: BAD_CONFIGURATION,
        }
    }
}

/// Anything that says by itself what it is about.
impl<E: Error + 'static> From<E> for Failure
where
    E: Speaks,
{
    fn from(error: E) -> Self {
        Self::new(chain(&error))
    }
}

/// Marks errors whose own sentence is enough for a person.
pub(super) trait Speaks {}

impl Speaks for telemetry::logs::Error {}
impl Speaks for telemetry::metrics::Error {}
impl Speaks for crate::serve::ListenError {}
impl Speaks for crate::serve::CertificateError {}
impl Speaks for crate::rpc::BindError {}
impl Speaks for super::installation::OpenError {}

/// An error and its causes in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
