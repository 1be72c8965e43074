//! The OpenAPI document, generated from the routes themselves.

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
    document
}
