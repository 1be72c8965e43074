//! Errors of use cases as gRPC statuses. A stale epoch is FAILED_PRECONDITION, `stale_epoch` in its
//! message; faults of ours are logged here, where they stop travelling.

use tonic::{Code, Status};

use crate::http::error::chain;
use crate::problem::{Kind, Problem};

/// What runners look for to know that their lease is gone.
pub(super) const STALE_EPOCH: &str = "stale_epoch";

pub(super) fn status_of<E: Problem>(error: E) -> Status {
    if error.code() == "jobs.stale-epoch" {
        return Status::failed_precondition(format!("{STALE_EPOCH}: {error}"));
    }
    let code = match error.kind() {
        Kind::Malformed | Kind::Invalid => Code::InvalidArgument,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::NotFound => Code::NotFound,
        Kind::Conflict => Code::FailedPrecondition,
        Kind::TooLarge => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Internal => {
            tracing::error!(
                code = error.code(),
                error = chain(&error),
                "a runner's call failed"
            );
            return Status::internal("the control plane failed; its log has the cause");
        }
    };
    Status::new(code, format!("{}: {error}", error.code()))
}

/// An id or number that can't be read.
pub(super) fn unreadable(what: &'static str) -> Status {
    Status::invalid_argument(format!("{what} can't be read"))
}
