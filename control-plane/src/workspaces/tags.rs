//! Tags: one set of key-value bindings, seen in two ways. A binding without a value is a plain tag.

use domain::ids::TagBindingId;

use super::error::WorkspaceError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagBinding {
    pub id: TagBindingId,
    pub key: String,
    /// Empty for a plain tag.
    pub value: String,
}

impl TagBinding {
    /// # Errors
    /// [`WorkspaceError::Invalid`] when the key is empty or either part is too long.
    pub fn new(key: &str, value: &str) -> Result<Self, WorkspaceError> {
        let printable = |text: &str| text.len() <= 255 && !text.chars().any(char::is_control);
        if key.is_empty() || !printable(key) || !printable(value) {
            return Err(WorkspaceError::invalid(
                "tags",
                format!("{key:?} can't be a tag: 1 to 255 printable characters"),
            ));
        }
        Ok(Self {
            id: TagBindingId::random(),
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}
