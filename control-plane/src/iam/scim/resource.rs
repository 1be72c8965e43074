//! Users and groups as SCIM objects, and what a request says of them.

use serde_json::{Map, Value, json};

use super::error::ScimError;
use super::store::{GroupRow, UserRow};

pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Longest name, address and the like.
const MAX_TEXT: usize = 254;

type Result<T> = std::result::Result<T, ScimError>;

pub(super) fn user(base: &str, row: &UserRow, groups: &[(String, String)]) -> Value {
    let groups: Vec<_> = groups
        .iter()
        .map(|(id, name)| json!({ "value": id, "display": name }))
        .collect();
    let mut object = json!({
        "schemas": [USER], "id": row.id, "userName": row.user_name,
        "displayName": row.display_name, "active": row.suspended_at.is_none(), "groups": groups,
        "meta": {
            "resourceType": "User", "created": row.created_at, "lastModified": row.updated_at,
            "location": format!("{base}/Users/{}", row.id),
        },
    });
    if let Some(id) = &row.external_id {
        object["externalId"] = json!(id);
    }
    if !row.email.is_empty() {
        object["emails"] = json!([{ "value": row.email, "type": "work", "primary": true }]);
    }
    if let Some(name) = row.detail.0.get("name") {
        object["name"] = name.clone();
    }
    object
}

pub(super) fn group(base: &str, row: &GroupRow, members: Option<&[(String, String)]>) -> Value {
    let mut object = json!({
        "schemas": [GROUP], "id": row.id, "displayName": row.name,
        "meta": {
            "resourceType": "Group", "created": row.created_at, "lastModified": row.updated_at,
            "location": format!("{base}/Groups/{}", row.id),
        },
    });
    if let Some(id) = &row.external_id {
        object["externalId"] = json!(id);
    }
    if let Some(members) = members {
        object["members"] = members
            .iter()
            .map(|(id, name)| {
                json!({ "value": id, "display": name, "$ref": format!("{base}/Users/{id}") })
            })
            .collect();
    }
    object
}

/// What is said of a user; `None` leaves a thing as it is.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct UserChange {
    pub user_name: Option<String>,
    pub external_id: Option<Option<String>>,
    pub display_name: Option<String>,
    pub email: Option<String>,
    pub name: Map<String, Value>,
    pub active: Option<bool>,
}

/// Clients write booleans as words too.
fn boolean(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| {
        let text = value.as_str()?.to_ascii_lowercase();
        text.parse().ok()
    })
}

pub(super) fn text(attribute: &'static str, value: &Value) -> Result<String> {
    let invalid = |detail| ScimError::InvalidValue { attribute, detail };
    let text = value.as_str().ok_or_else(|| invalid("it must be text"))?;
    let fits = text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
    if fits {
        Ok(text.trim().to_owned())
    } else {
        Err(invalid("use at most 254 bytes without control characters"))
    }
}

/// The address that counts: the primary one, else the first.
fn email(value: &Value) -> Result<String> {
    let of = |entry: &Value| text("emails", entry.get("value").unwrap_or(&Value::Null));
    if let Some(list) = value.as_array() {
        let primary = list
            .iter()
            .find(|it| it.get("primary").and_then(boolean) == Some(true));
        return primary
            .or_else(|| list.first())
            .map_or_else(|| Ok(String::new()), of);
    }
    if value.is_object() {
        return of(value);
    }
    text("emails", value)
}

const NAME_PARTS: [&str; 5] = [
    "formatted",
    "familyName",
    "givenName",
    "middleName",
    "honorificPrefix",
];

impl UserChange {
    /// One attribute, by its SCIM name without schema. What is unknown is read over: clients send
    /// all that their directory has.
    pub(super) fn set(&mut self, attribute: &str, value: &Value) -> Result<()> {
        match attribute.to_ascii_lowercase().as_str() {
            "username" => self.user_name = Some(text("userName", value)?),
            "externalid" if value.is_null() => self.external_id = Some(None),
            "externalid" => self.external_id = Some(Some(text("externalId", value)?)),
            "displayname" if value.is_null() => self.display_name = Some(String::new()),
            "displayname" => self.display_name = Some(text("displayName", value)?),
            "active" => {
                self.active = Some(boolean(value).ok_or(ScimError::InvalidValue {
                    attribute: "active",
                    detail: "it must be true or false",
                })?);
            }
            "name" => {
                for (part, value) in value.as_object().into_iter().flatten() {
                    self.set_name(part, value)?;
                }
            }
            "emails" if value.is_null() => self.email = Some(String::new()),
            other
                if other == "emails" || other.starts_with("emails[") || other == "emails.value" =>
            {
                self.email = Some(email(value)?);
            }
            other => {
                if let Some(part) = other.strip_prefix("name.") {
                    self.set_name(part, value)?;
                }
            }
        }
        Ok(())
    }

    fn set_name(&mut self, part: &str, value: &Value) -> Result<()> {
        let known = NAME_PARTS.iter().find(|it| it.eq_ignore_ascii_case(part));
        if let Some(known) = known
            && !value.is_null()
        {
            let value = text("name", value)?;
            self.name.insert((*known).to_owned(), json!(value));
        }
        Ok(())
    }

    /// All of a user: what is not said is cleared, but for `active`.
    pub(super) fn whole(body: &Value) -> Result<Self> {
        let mut change = Self {
            external_id: Some(None),
            display_name: Some(String::new()),
            email: Some(String::new()),
            ..Self::default()
        };
        for (attribute, value) in body.as_object().into_iter().flatten() {
            change.set(attribute, value)?;
        }
        match &change.user_name {
            Some(name) if !name.is_empty() => Ok(change),
            _ => Err(ScimError::InvalidValue {
                attribute: "userName",
                detail: "it is required",
            }),
        }
    }
}
