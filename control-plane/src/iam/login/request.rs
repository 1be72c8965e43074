//! What `terraform login` asks for when it opens the browser, and which of it is acceptable.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::http::{LOGIN_CLIENT, LOGIN_PORTS};

const MAX_STATE: usize = 1024;
/// A SHA-256 in base64url without padding.
const CHALLENGE_LENGTH: usize = 43;

/// The parameters as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Params {
    pub client_id: String,
    pub redirect_uri: String,
    pub response_type: String,
    pub state: Option<String>,
    pub code_challenge: String,
    pub code_challenge_method: String,
}

/// An acceptable request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuthorizationRequest {
    pub params: Params,
    /// Where the CLI listens: `http://localhost:PORT/login`.
    pub redirect_uri: Url,
}

/// Why a request is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It can't be told that the CLI asked: say so on a page, redirect nowhere.
    Untrusted(&'static str),
    /// The CLI's own mistake: tell it, with this redirect.
    Answer(Url),
}

impl AuthorizationRequest {
    pub(super) fn parse(params: Params) -> Result<Self, Refusal> {
        if params.client_id != LOGIN_CLIENT {
            return Err(Refusal::Untrusted(
                "the client is unknown: start with `terraform login`",
            ));
        }
        let redirect_uri = local_address(&params.redirect_uri).ok_or(Refusal::Untrusted(
            "the answer would not go to Terraform on this computer",
        ))?;
        if params
            .state
            .as_ref()
            .is_some_and(|state| state.len() > MAX_STATE)
        {
            return Err(Refusal::Untrusted("the request is too long"));
        }
        let request = Self {
            params,
            redirect_uri,
        };
        let wrong = if request.params.response_type != "code" {
            Some(("unsupported_response_type", "response_type must be code"))
        } else if request.params.code_challenge_method != "S256" {
            Some(("invalid_request", "code_challenge_method must be S256"))
        } else if !is_challenge(&request.params.code_challenge) {
            Some((
                "invalid_request",
                "code_challenge must be a SHA-256 in base64url",
            ))
        } else {
            None
        };
        match wrong {
            Some((error, description)) => {
                Err(Refusal::Answer(request.answer(&[
                    ("error", error),
                    ("error_description", description),
                ])))
            }
            None => Ok(request),
        }
    }

    /// The path of the page that this was asked of, to come back to.
    pub(super) fn address(&self) -> String {
        let params = &self.params;
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &params.client_id)
            .append_pair("redirect_uri", &params.redirect_uri)
            .append_pair("response_type", &params.response_type)
            .append_pair("code_challenge", &params.code_challenge)
            .append_pair("code_challenge_method", &params.code_challenge_method)
            .extend_pairs(params.state.as_ref().map(|state| ("state", state)))
            .finish();
        format!("/oauth/authorization?{query}")
    }

    /// The redirect that carries `pairs` and the caller's state back.
    pub(super) fn answer(&self, pairs: &[(&str, &str)]) -> Url {
        let mut url = self.redirect_uri.clone();
        url.query_pairs_mut()
            .extend_pairs(pairs)
            .extend_pairs(self.params.state.as_ref().map(|state| ("state", state)));
        url
    }
}

/// Accepts `http://localhost:PORT/login` and the same on 127.0.0.1, with a port of the advertised
/// range, and nothing else: the code must not leave this computer.
fn local_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let [first, last] = LOGIN_PORTS;
    // What the parser had to mend is not what the CLI sends.
    let local = url.as_str() == text
        && url.scheme() == "http"
        && matches!(url.host_str(), Some("localhost" | "127.0.0.1"))
        && url
            .port()
            .is_some_and(|port| (first..=last).contains(&port))
        && url.path() == "/login"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    local.then_some(url)
}

fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE_LENGTH
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod unit {
    use super::*;

    fn params() -> Params {
        Params {
            client_id: LOGIN_CLIENT.to_owned(),
            redirect_uri: "http://localhost:10003/login".to_owned(),
            response_type: "code".to_owned(),
            state: Some("a b".to_owned()),
            code_challenge: "x".repeat(CHALLENGE_LENGTH),
            code_challenge_method: "S256".to_owned(),
        }
    }

    #[test]
    fn the_state_goes_back() {
        let request = AuthorizationRequest::parse(params()).unwrap();
        let url = request.answer(&[("code", "c/d")]);
        assert_eq!(
            url.as_str(),
            "http://localhost:10003/login?code=c%2Fd&state=a+b"
        );
    }

    #[test]
    fn a_foreign_address_is_never_redirected_to() {
        for bad in [
            "",
            "https://localhost:10003/login",
            "http://localhost/login",
            "http://localhost:9999/login",
            "http://localhost:11000/login",
            "http://localhost:10003/other",
            "http://localhost:10003/login?next=x",
            "http://localhost:10003/login#x",
            "http://me@localhost:10003/login",
            "http://localhost.evil.test:10003/login",
            "http://evil.test:10003/login",
            "http://127.0.0.2:10003/login",
            "\0http://localhost:10003/login",
        ] {
            let params = Params {
                redirect_uri: bad.to_owned(),
                ..params()
            };
            let refusal = AuthorizationRequest::parse(params).unwrap_err();
            assert!(matches!(refusal, Refusal::Untrusted(_)), "{bad}");
        }
    }

    #[test]
    fn what_the_client_did_wrong_goes_back_to_it() {
        let wrong = [
            Params {
                response_type: "token".to_owned(),
                ..params()
            },
            Params {
                code_challenge_method: "plain".to_owned(),
                ..params()
            },
            Params {
                code_challenge: "short".to_owned(),
                ..params()
            },
        ];
        for params in wrong {
            let Refusal::Answer(url) = AuthorizationRequest::parse(params).unwrap_err() else {
                panic!("not answered");
            };
            assert!(
                url.as_str().contains("error=") && url.as_str().contains("state="),
                "{url}"
            );
        }
    }
}
