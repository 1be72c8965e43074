//! Builtins of OPA that a policy can't have here, with what to do instead.
//!
//! Each is an error as loud as can be. The engine's own stand-ins (`http.send`) say "undefined",
//! which reads as "no objection".

/// Name, number of arguments.
pub(super) type Refused = (&'static str, u8, Why);

/// Why a builtin is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It reaches out of the evaluation.
    Outside,
    /// Nobody has written it for this engine yet.
    Missing,
}

impl Why {
    /// A sentence for the author.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::Outside => {
                "policies have no network and no host access: \
                 upload the facts as a data document and read them from `data.account`"
            }
            Self::Missing => "write it with other builtins; docs/policy-builtins.md lists them all",
        }
    }
}

pub(super) const REFUSED: &[Refused] = &[
    ("http.send", 1, Why::Outside),
    ("net.lookup_ip_addr", 1, Why::Outside),
    ("opa.runtime", 0, Why::Outside),
    ("providers.aws.sign_req", 3, Why::Outside),
    ("crypto.parse_private_keys", 1, Why::Missing),
    ("crypto.x509.parse_and_verify_certificates", 1, Why::Missing),
    (
        "crypto.x509.parse_and_verify_certificates_with_options",
        2,
        Why::Missing,
    ),
    ("crypto.x509.parse_certificate_request", 1, Why::Missing),
    ("crypto.x509.parse_certificates", 1, Why::Missing),
    ("crypto.x509.parse_keypair", 2, Why::Missing),
    ("crypto.x509.parse_rsa_private_key", 1, Why::Missing),
    ("graphql.is_valid", 2, Why::Missing),
    ("graphql.parse", 2, Why::Missing),
    ("graphql.parse_and_verify", 2, Why::Missing),
    ("graphql.parse_query", 1, Why::Missing),
    ("graphql.parse_schema", 1, Why::Missing),
    ("graphql.schema_is_valid", 1, Why::Missing),
    ("io.jwt.decode", 1, Why::Missing),
    ("io.jwt.decode_verify", 2, Why::Missing),
    ("io.jwt.encode_sign", 3, Why::Missing),
    ("io.jwt.encode_sign_raw", 3, Why::Missing),
    ("io.jwt.verify_eddsa", 2, Why::Missing),
    ("io.jwt.verify_es256", 2, Why::Missing),
    ("io.jwt.verify_es384", 2, Why::Missing),
    ("io.jwt.verify_es512", 2, Why::Missing),
    ("io.jwt.verify_hs256", 2, Why::Missing),
    ("io.jwt.verify_hs384", 2, Why::Missing),
    ("io.jwt.verify_hs512", 2, Why::Missing),
    ("io.jwt.verify_ps256", 2, Why::Missing),
    ("io.jwt.verify_ps384", 2, Why::Missing),
    ("io.jwt.verify_ps512", 2, Why::Missing),
    ("io.jwt.verify_rs256", 2, Why::Missing),
    ("io.jwt.verify_rs384", 2, Why::Missing),
    ("io.jwt.verify_rs512", 2, Why::Missing),
    ("rego.metadata.chain", 0, Why::Missing),
    ("rego.metadata.rule", 0, Why::Missing),
    ("rego.parse_module", 2, Why::Missing),
    ("strings.render_template", 2, Why::Missing),
    ("uri.is_valid", 1, Why::Missing),
    ("uri.parse", 1, Why::Missing),
];
