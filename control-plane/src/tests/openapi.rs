//! `docs/openapi.json` is what the routes say.

use std::collections::BTreeSet;

use super::documents;

#[test]
fn openapi_document() {
    let mut text = crate::http::document().to_pretty_json().unwrap();
    text.push('\n');
    documents::check("openapi.json", &text, "openapi_document");
}

/// One method of one route, as the document has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Operation {
    pub(super) path: String,
    pub(super) method: String,
}

/// All operations, by path and method.
pub(super) fn operations() -> BTreeSet<Operation> {
    let document = serde_json::to_value(crate::http::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut all = BTreeSet::new();
    for (path, item) in paths {
        for method in ["get", "post", "put", "patch", "delete", "head", "options"] {
            if item.get(method).is_some() {
                all.insert(Operation {
                    path: path.clone(),
                    method: method.to_uppercase(),
                });
            }
        }
    }
    all
}
