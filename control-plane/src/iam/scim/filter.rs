//! Filters of SCIM lists (RFC 7644, section 3.4.2.2), as far as provisioning clients use them:
//! `userName eq "…"`, and several such joined by `and`.
//!
//! Written here because the one crate that reads them is far from what clients send. What is read
//! becomes names from a fixed list and values that are bound, so no filter can be more than it says.

use super::error::ScimError;

/// Longest filter, and how many comparisons it may have.
const MAX_LENGTH: usize = 2000;
const MAX_PARTS: usize = 4;

/// What a filter can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    Id,
    UserName,
    ExternalId,
    DisplayName,
    Email,
    Member,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Equals {
    pub attribute: Attribute,
    pub value: String,
}

fn attribute(name: &str) -> Option<Attribute> {
    let name = name.to_ascii_lowercase();
    let bare = ["user:", "group:"]
        .into_iter()
        .find_map(|kind| {
            name.strip_prefix("urn:ietf:params:scim:schemas:core:2.0:")
                .and_then(|rest| rest.strip_prefix(kind))
        })
        .unwrap_or(&name);
    match bare {
        "id" => Some(Attribute::Id),
        "username" => Some(Attribute::UserName),
        "externalid" => Some(Attribute::ExternalId),
        "displayname" => Some(Attribute::DisplayName),
        "emails" | "emails.value" | "emails[type eq \"work\"].value" => Some(Attribute::Email),
        "members" | "members.value" => Some(Attribute::Member),
        _ => None,
    }
}

/// The comparisons of a filter; all of them must hold.
///
/// # Errors
/// [`ScimError::InvalidFilter`] for everything else.
pub(super) fn parse(text: &str) -> Result<Vec<Equals>, ScimError> {
    if text.len() > MAX_LENGTH {
        return Err(ScimError::InvalidFilter);
    }
    let mut rest = text.trim();
    let mut parts = Vec::new();
    loop {
        let (part, after) = comparison(rest).ok_or(ScimError::InvalidFilter)?;
        parts.push(part);
        if after.is_empty() {
            return Ok(parts);
        }
        if parts.len() == MAX_PARTS {
            return Err(ScimError::InvalidFilter);
        }
        rest = word(after, "and").ok_or(ScimError::InvalidFilter)?;
    }
}

/// What follows `expected` and a space.
fn word<'a>(text: &'a str, expected: &str) -> Option<&'a str> {
    let head = text.get(..expected.len())?;
    let tail = text.get(expected.len()..)?;
    let trimmed = tail.trim_start();
    (head.eq_ignore_ascii_case(expected) && trimmed.len() < tail.len()).then_some(trimmed)
}

fn comparison(text: &str) -> Option<(Equals, &str)> {
    let at = text.to_ascii_lowercase().find(" eq \"")?;
    // The comparison inside `emails[type eq "work"]` is not the one that is meant.
    let at = match text.get(..at)?.contains('[') {
        true => at + 5 + text.get(at + 5..)?.to_ascii_lowercase().find(" eq \"")?,
        false => at,
    };
    let attribute = attribute(text.get(..at)?.trim())?;
    let value = text.get(at + 4..)?;
    let end = closing_quote(value)?;
    let value_text: String = serde_json::from_str(value.get(..=end)?).ok()?;
    let after = value.get(end + 1..)?;
    if !after.is_empty() && !after.starts_with(' ') {
        return None;
    }
    let equals = Equals {
        attribute,
        value: value_text,
    };
    Some((equals, after.trim()))
}

/// Where the string that begins `text` ends.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod unit {
    use super::*;

    fn one(text: &str) -> (Attribute, String) {
        let mut parts = parse(text).unwrap();
        assert_eq!(parts.len(), 1, "{text}");
        let it = parts.remove(0);
        (it.attribute, it.value)
    }

    #[test]
    fn what_clients_send_is_read() {
        assert_eq!(
            one(r#"userName eq "a@b.test""#),
            (Attribute::UserName, "a@b.test".to_owned())
        );
        assert_eq!(one(r#"USERNAME EQ "x""#).0, Attribute::UserName);
        assert_eq!(one(r#"externalId eq "1 eq 2""#).1, "1 eq 2");
        assert_eq!(one(r#"displayName eq "a \"b\" c""#).1, "a \"b\" c");
        assert_eq!(
            one(r#"emails[type eq "work"].value eq "e""#),
            (Attribute::Email, "e".to_owned())
        );
        let urn = r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "u""#;
        assert_eq!(one(urn).0, Attribute::UserName);
        let both = parse(r#"id eq "a" and members eq "b""#).unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!(both[1].attribute, Attribute::Member);
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "userName",
            "userName eq",
            "userName eq x",
            "userName eq 'x'",
            r#"userName eq "x"#,
            r#"userName eq "x" or userName eq "y""#,
            r#"password eq "x""#,
            r#"userName co "x""#,
            r#"userName eq "x";"#,
            r#"userName eq "x" and"#,
            r#"userName eq "x"and id eq "y""#,
            r#"(userName eq "x")"#,
            r#"not userName eq "x""#,
            r#"userName' OR 1=1 -- eq "x""#,
            r#"userName eq "\x""#,
            r#"emails[type eq "home"].value eq "e""#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!(r#"userName eq "{}""#, "a".repeat(3000))).is_err());
        assert!(parse(&[r#"id eq "a""#; 5].join(" and ")).is_err());
    }
}
