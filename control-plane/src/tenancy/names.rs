//! Which names environments and projects may have.

use super::error::TenancyError;

type Result<T> = std::result::Result<T, TenancyError>;

fn valid_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (3..=40).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with("env-")
}

/// Is this a name that an environment may have?
///
/// # Errors
/// [`TenancyError::Invalid`], saying which names are.
pub fn check_name(name: &str) -> Result<()> {
    if valid_name(name) {
        return Ok(());
    }
    Err(TenancyError::Invalid {
        field: "/data/attributes/name",
        detail: format!(
            "{name:?}: use 3 to 40 letters, digits, dashes and underscores, not beginning with `env-`"
        ),
    })
}

/// The same for a project.
///
/// # Errors
/// [`TenancyError::Invalid`].
pub(super) fn check_project_name(name: &str) -> Result<()> {
    let fits = (3..=40).contains(&name.chars().count())
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    if fits {
        return Ok(());
    }
    Err(TenancyError::Invalid {
        field: "/data/attributes/name",
        detail: format!("{name:?}: use 3 to 40 letters, digits, spaces, dashes and underscores"),
    })
}
