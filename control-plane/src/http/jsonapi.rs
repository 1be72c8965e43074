//! JSON:API documents, out and in. Shapes: TFE contract, section 4.
//!
//! Written here because no maintained crate covers the dialect the clients speak: strict types on
//! every node, plain bodies under the JSON:API content type, `null` apart from absent.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::error::JSON_API;
use super::page::Pagination;

/// A whole answer: primary data, what was included, and paging.
#[derive(Debug, Serialize, ToSchema)]
pub struct Document<T> {
    pub data: T,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub included: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Meta {
    pub pagination: Pagination,
}

/// One object on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resource<A> {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub attributes: A,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Object>)]
    pub relationships: BTreeMap<&'static str, Relationship>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<&'static str, String>,
}

impl<A> Resource<A> {
    pub fn new(kind: &'static str, id: impl ToString, attributes: A) -> Self {
        Self {
            id: id.to_string(),
            kind,
            attributes,
            relationships: BTreeMap::new(),
            links: BTreeMap::new(),
        }
    }

    /// A to-one relationship; `None` is `data: null`.
    pub fn to_one<I: ToString>(
        mut self,
        name: &'static str,
        kind: &'static str,
        id: Option<I>,
    ) -> Self {
        let data = id.map(|id| Identifier {
            kind: kind.into(),
            id: id.to_string(),
        });
        self.relationships.insert(name, Relationship::One { data });
        self
    }

    pub fn to_many<I: ToString>(
        mut self,
        name: &'static str,
        kind: &'static str,
        ids: impl IntoIterator<Item = I>,
    ) -> Self {
        let data = ids
            .into_iter()
            .map(|id| Identifier {
                kind: kind.into(),
                id: id.to_string(),
            })
            .collect();
        self.relationships.insert(name, Relationship::Many { data });
        self
    }

    pub fn link(mut self, name: &'static str, url: impl Into<String>) -> Self {
        self.links.insert(name, url.into());
        self
    }
}

impl<A: Serialize> Resource<A> {
    /// This object as an entry of `included`.
    ///
    /// # Panics
    /// Never: attributes are plain structs of ours.
    pub fn into_value(self) -> serde_json::Value {
        serde_json::to_value(self).expect("attributes are plain data")
    }
}

/// A resource's tie to another.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Relationship {
    One { data: Option<Identifier> },
    Many { data: Vec<Identifier> },
}

/// Type and id: what a relationship points with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Identifier {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub id: String,
}

impl<T> Document<T> {
    pub fn of(data: T) -> Self {
        Self {
            data,
            included: Vec::new(),
            meta: None,
        }
    }

    pub fn including(mut self, included: Vec<serde_json::Value>) -> Self {
        self.included = included;
        self
    }
}

impl<T> Document<Vec<T>> {
    pub fn page(data: Vec<T>, pagination: Pagination) -> Self {
        Self {
            data,
            included: Vec::new(),
            meta: Some(Meta { pagination }),
        }
    }
}

impl<T: Serialize> IntoResponse for Document<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON_API));
        response
    }
}

/// 201 with the object made.
pub struct Created<T>(pub Document<T>);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, self.0).into_response()
    }
}

/// A request body: `{"data": {type, id, attributes, relationships}}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(bound(deserialize = "A: Deserialize<'de> + Default"))]
pub struct Input<A> {
    #[serde(deserialize_with = "object")]
    pub data: InputData<A>,
}

/// A request body with a list of objects.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(bound(deserialize = "A: Deserialize<'de> + Default"))]
pub struct Inputs<A> {
    pub data: Vec<InputData<A>>,
}

/// One object of a request.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(bound(deserialize = "A: Deserialize<'de> + Default"))]
pub struct InputData<A> {
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub id: Option<String>,
    /// Clients leave it out when there is nothing to say.
    #[serde(default, deserialize_with = "object")]
    pub attributes: A,
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Object>)]
    pub relationships: BTreeMap<String, InputRelationship>,
}

#[derive(Debug, Deserialize)]
pub struct InputRelationship {
    #[serde(default)]
    pub data: InputLinkage,
}

/// What a relationship in a request points to. Entries may carry attributes instead of an id.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub enum InputLinkage {
    #[default]
    Null,
    One(InputIdentifier),
    Many(Vec<InputIdentifier>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InputIdentifier {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

impl<A> InputData<A> {
    /// Its id; empty if there is none.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// The id a to-one relationship points to.
    pub fn related_id(&self, name: &str) -> Option<&str> {
        match &self.relationships.get(name)?.data {
            InputLinkage::One(one) if !one.id.is_empty() => Some(&one.id),
            InputLinkage::One(_) | InputLinkage::Null | InputLinkage::Many(_) => None,
        }
    }

    /// A to-one relationship as it was sent: absent, `null`, or an id.
    pub fn to_one(&self, name: &str) -> Option<Option<&str>> {
        match &self.relationships.get(name)?.data {
            InputLinkage::One(one) if !one.id.is_empty() => Some(Some(&one.id)),
            InputLinkage::One(_) | InputLinkage::Null | InputLinkage::Many(_) => Some(None),
        }
    }

    /// The entries of a to-many relationship; none if it is absent.
    pub fn related(&self, name: &str) -> &[InputIdentifier] {
        match self.relationships.get(name).map(|it| &it.data) {
            Some(InputLinkage::Many(many)) => many,
            // An empty list reads as an object without anything.
            Some(InputLinkage::One(one)) if one.id.is_empty() => &[],
            Some(InputLinkage::One(one)) => std::slice::from_ref(one),
            Some(InputLinkage::Null) | None => &[],
        }
    }
}

/// Reads an object, and no list: what is derived takes a list for the members in their order.
fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(Object(PhantomData))
}

/// Tells `null` (clear it) from absent (leave it): `Option<Option<T>>` with
/// `#[serde(default, deserialize_with = "nullable")]`.
pub fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Times of fields that clients parse as "iso8601": they need a literal `Z`.
pub fn zulu<S: serde::Serializer>(
    time: &crate::clock::Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

/// As [`zulu`], of a time that may be missing.
pub fn zulu_or_null<S: serde::Serializer>(
    time: &Option<crate::clock::Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => zulu(time, serializer),
        None => serializer.serialize_none(),
    }
}
