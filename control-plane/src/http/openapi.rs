//! The OpenAPI document, generated from the routes themselves.

use std::collections::HashMap;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, SecurityRequirement};

use super::router::api;

/// The whole public API as OpenAPI 3.1.
pub fn document() -> OpenApi {
    let (_, mut document) = api().split_for_parts();
    document.info = InfoBuilder::new()
        .title("Terrane")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "JSON:API, compatible with the Terraform Enterprise API v2 where that has the thing.",
        ))
        .build();
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    document
        .components
        .get_or_insert_with(Default::default)
        .add_security_scheme("token", bearer);
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(
        "token",
        [],
    )]);
    name_permissions(&mut document);
    document
}

/// The rows that the authorisation matrix is tested with: one source for what is said and what is
/// tried.
const ROWS: &str = include_str!("../tests/matrix.txt");

/// Says of each operation which permission it needs (`x-permission`).
fn name_permissions(document: &mut OpenApi) {
    let rows: HashMap<(&str, &str), &str> = ROWS
        .lines()
        .filter(|line| !line.starts_with(['#', ' ']))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (method, target) = (words.next()?, words.next()?);
            let path = target.split('?').next()?;
            // After the status and the place.
            Some(((method, path), words.nth(2)?))
        })
        .collect();
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("GET", &mut item.get),
            ("PUT", &mut item.put),
            ("POST", &mut item.post),
            ("PATCH", &mut item.patch),
            ("DELETE", &mut item.delete),
        ];
        for (method, operation) in operations {
            let (Some(operation), Some(permission)) =
                (operation, rows.get(&(method, path.as_str())))
            else {
                continue;
            };
            if *permission == "-" {
                continue;
            }
            operation
                .extensions
                .get_or_insert_default()
                .insert("x-permission".to_owned(), (*permission).into());
        }
    }
}
