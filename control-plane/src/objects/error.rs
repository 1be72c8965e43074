//! What can go wrong with a large object.

use std::io;

use crate::problem::{Fault, Kind, Problem};

#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("no such object")]
    NotFound,
    #[error("it is larger than the {limit} bytes that are allowed here")]
    TooLarge { limit: u64 },
    #[error("the content broke off while it was being sent; send it again")]
    BrokenOff(#[source] io::Error),
    #[error("it took too long from storing to using it; send it again")]
    Swept,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ObjectError {
    /// What went wrong while an object's bytes were read.
    pub(crate) fn of_reading(error: io::Error) -> Self {
        match error.downcast::<blob::Error>() {
            Ok(error) => error.into(),
            Err(error) => Self::BrokenOff(error),
        }
    }
}

impl From<blob::Error> for ObjectError {
    fn from(error: blob::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<db::Error> for ObjectError {
    fn from(error: db::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl Problem for ObjectError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "objects.not-found",
            Self::TooLarge { .. } => "objects.too-large",
            Self::BrokenOff(_) => "objects.broken-off",
            Self::Swept => "objects.swept",
            Self::Fault(fault) => fault.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::TooLarge { .. } => Kind::TooLarge,
            Self::BrokenOff(_) => Kind::Malformed,
            Self::Swept => Kind::Conflict,
            Self::Fault(fault) => fault.kind(),
        }
    }
}
