//! Requests from outside: files that appear.

use step::files;

use crate::paths::Root;

/// Whether a cancel is asked for.
pub(crate) fn cancel(root: &Root) -> bool {
    root.join(files::CANCEL).exists()
}

/// Whether a kill is asked for.
pub(crate) fn kill(root: &Root) -> bool {
    root.join(files::KILL).exists()
}
