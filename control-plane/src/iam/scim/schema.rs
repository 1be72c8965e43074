//! What the service says of itself (RFC 7643, sections 5 to 7).

use serde_json::{Value, json};

use super::resource::{GROUP, USER};

pub(super) fn service_provider_config() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": super::api::MAX_COUNT },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": false },
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token",
            "description": "The provisioning token of the identity provider", "primary": true,
        }],
    })
}

pub(super) fn resource_types() -> Value {
    let of = |name: &str, endpoint: &str, schema: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"], "id": name,
            "name": name, "endpoint": endpoint, "schema": schema,
        })
    };
    list(vec![
        of("User", "/Users", USER),
        of("Group", "/Groups", GROUP),
    ])
}

pub(super) fn schemas() -> Value {
    let attribute = |name: &str, kind: &str, required: bool| {
        json!({
            "name": name, "type": kind, "multiValued": false, "required": required,
            "caseExact": false, "mutability": "readWrite", "returned": "default",
            "uniqueness": if name == "userName" { "server" } else { "none" },
        })
    };
    let many = |name: &str| {
        json!({
            "name": name, "type": "complex", "multiValued": true, "required": false,
            "mutability": "readWrite", "returned": "default",
            "subAttributes": [attribute("value", "string", false)],
        })
    };
    let name = json!({
        "name": "name", "type": "complex", "multiValued": false, "required": false,
        "mutability": "readWrite", "returned": "default",
        "subAttributes": [
            attribute("formatted", "string", false), attribute("familyName", "string", false),
            attribute("givenName", "string", false),
        ],
    });
    let schema = |id: &str, name: &str, attributes: Value| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": id, "name": name,
            "attributes": attributes,
        })
    };
    let user = json!([
        attribute("userName", "string", true),
        attribute("externalId", "string", false),
        attribute("displayName", "string", false),
        attribute("active", "boolean", false),
        name,
        many("emails"),
    ]);
    let group = json!([
        attribute("displayName", "string", true),
        attribute("externalId", "string", false),
        many("members"),
    ]);
    list(vec![
        schema(USER, "User", user),
        schema(GROUP, "Group", group),
    ])
}

/// A list that is whole.
fn list(resources: Vec<Value>) -> Value {
    let total = resources.len();
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total, "startIndex": 1, "itemsPerPage": total, "Resources": resources,
    })
}
