//! How a slice's error says what it is to the outside: a stable code, a kind, and where it lies.
//!
//! Slices know nothing of HTTP; the edges turn a kind into a status.

use std::error::Error;

use crate::iam::Denied;

/// What sort of thing went wrong, from the caller's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request can't be read.
    Malformed,
    /// Nobody, or nobody known.
    Unauthenticated,
    /// Visible, but not allowed.
    Forbidden,
    /// Absent, or not visible to this caller: the two can't be told apart from outside.
    NotFound,
    /// The object is in a state that doesn't allow this.
    Conflict,
    /// Readable, but wrong.
    Invalid,
    TooLarge,
    /// Try again later.
    Unavailable,
    /// A fault of ours.
    Internal,
}

/// A slice's error, as its caller sees it.
pub trait Problem: Error + Send + Sync + 'static {
    /// Stable, `area.what-happened`; has a page in `docs/errors/`.
    fn code(&self) -> &'static str;

    fn kind(&self) -> Kind;

    /// The JSON pointer of the field that is wrong, for [`Kind::Invalid`].
    fn pointer(&self) -> Option<&str> {
        None
    }

    /// The refusal inside, if it is one: it goes to the audit log.
    fn denied(&self) -> Option<&Denied> {
        None
    }
}

impl Problem for Denied {
    fn code(&self) -> &'static str {
        if self.visible {
            "access.denied"
        } else {
            "request.not-found"
        }
    }

    fn kind(&self) -> Kind {
        if self.visible {
            Kind::Forbidden
        } else {
            Kind::NotFound
        }
    }

    fn denied(&self) -> Option<&Denied> {
        Some(self)
    }
}

/// A fault of ours under a use case: the database, the object store, a key.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the database failed")]
    Database(#[from] db::Error),
    #[error("the object store failed")]
    Blob(#[from] blob::Error),
    #[error("a key or a sealed value can't be opened")]
    Vault(#[from] vault::Error),
    #[error("a stored value can't be read: {what}")]
    Unreadable { what: &'static str },
}

impl Problem for Fault {
    fn code(&self) -> &'static str {
        match self {
            Self::Database(error) if error.is_unavailable() => "server.database-unavailable",
            Self::Database(_) => "server.database",
            Self::Blob(_) => "server.object-store",
            Self::Vault(_) => "server.keys",
            Self::Unreadable { .. } => "server.unreadable-row",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Database(error) if error.is_unavailable() => Kind::Unavailable,
            Self::Database(_) | Self::Blob(_) | Self::Vault(_) | Self::Unreadable { .. } => {
                Kind::Internal
            }
        }
    }
}
