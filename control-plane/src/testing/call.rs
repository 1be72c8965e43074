//! One request to the router, and its answer.

use std::future::IntoFuture;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::app::TestApp;
use crate::http::error::JSON_API;

/// A request being put together; `.await` sends it.
pub(crate) struct Call<'a> {
    app: &'a TestApp,
    request: Request<Body>,
}

impl<'a> Call<'a> {
    pub(super) fn new(app: &'a TestApp, method: Method, path: String) -> Self {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        Self { app, request }
    }

    /// With a bearer token: a [`super::TestUser`], a [`super::TestRun`], or the text of one.
    pub(crate) fn by(self, who: impl AsRef<str>) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {}", who.as_ref()))
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.request
            .headers_mut()
            .insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// As a connection from `address` would come in.
    pub(crate) fn from(mut self, address: IpAddr) -> Self {
        self.request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::new(address, 40_000)));
        self
    }

    pub(crate) fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Body::from(body.into());
        self.header(header::CONTENT_TYPE, media_type)
    }

    /// A body of any length, as it comes.
    pub(crate) fn streaming(mut self, media_type: &str, body: Body) -> Self {
        *self.request.body_mut() = body;
        self.header(header::CONTENT_TYPE, media_type)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body(JSON_API, body.to_string())
    }

    /// A JSON:API body of one object with these attributes.
    pub(crate) fn attributes(self, kind: &str, attributes: Value) -> Self {
        self.json(&json!({ "data": { "type": kind, "attributes": attributes } }))
    }

    pub(crate) fn form(self, pairs: &[(&str, &str)]) -> Self {
        let text = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.body("application/x-www-form-urlencoded", text)
    }
}

impl<'a> IntoFuture for Call<'a> {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let what = format!("{} {}", self.request.method(), self.request.uri());
            let response = self.app.router.clone().oneshot(self.request).await.unwrap();
            let (parts, body) = response.into_parts();
            Answer {
                what,
                status: parts.status,
                headers: parts.headers,
                body: body.collect().await.unwrap().to_bytes(),
            }
        })
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    what: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The whole document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "{}: {} with no JSON ({error}): {}",
                self.what,
                self.status,
                self.text()
            )
        })
    }

    /// This answer, if it has that status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}: {}",
            self.what,
            self.text()
        );
        self
    }

    /// `data`.
    pub(crate) fn data(&self) -> Value {
        self.json()["data"].take()
    }

    /// `data.attributes.NAME`.
    pub(crate) fn attribute(&self, name: &str) -> Value {
        self.json()["data"]["attributes"][name].take()
    }

    /// `data.id`.
    pub(crate) fn id(&self) -> String {
        self.json()["data"]["id"].as_str().unwrap().to_owned()
    }

    /// One attribute of each object of a list.
    pub(crate) fn each(&self, name: &str) -> Vec<String> {
        let list = self.data();
        let list = list.as_array().unwrap();
        list.iter()
            .map(|it| it["attributes"][name].as_str().unwrap().to_owned())
            .collect()
    }

    /// The stable code of the first error.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The pointer of the first error.
    pub(crate) fn pointer(&self) -> String {
        self.json()["errors"][0]["source"]["pointer"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn header(&self, name: HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}
