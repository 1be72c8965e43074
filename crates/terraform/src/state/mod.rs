//! State files, version 4: who they are, what they hold, and whether they are whole.
//!
//! Everything is read as a stream: a state of 100 MB costs the memory of its index, never of its
//! attributes. "Whole" means that the document parses to its last byte; the local backend rewrites
//! its file in place, so a kill can leave any prefix of it.

mod index;
mod reader;
mod reduce;
mod renumber;

use std::io::Read;

use serde_json::value::RawValue;

pub use index::{Instance, Output, Resource, State, type_name};
pub use reduce::reduce_to_outputs;
pub use renumber::renumber;

/// What tells one state from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Rises with each write.
    pub serial: u64,
    /// Fixed when the state is born; two lineages never mix.
    pub lineage: String,
    pub terraform_version: String,
}

/// Why a text is no whole state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Empty, torn, or no JSON at all.
    #[error("the state is not whole JSON")]
    Torn(#[source] struson::reader::ReaderError),
    #[error("a text of the state can't be read")]
    Text(#[source] std::io::Error),
    #[error("the state could not be copied")]
    Copy(#[source] struson::reader::TransferError),
    #[error("the state is of format version {found:?}; only version 4 can be read")]
    Version { found: String },
    #[error("the state has no {field:?}")]
    Missing { field: &'static str },
    #[error("{field:?} of the state is not what it should be")]
    Field { field: &'static str },
    #[error("the state has more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
    #[error("the reduced state could not be written")]
    Write(#[source] std::io::Error),
}

impl From<struson::reader::ReaderError> for StateError {
    fn from(error: struson::reader::ReaderError) -> Self {
        Self::Torn(error)
    }
}

/// Reads a state to its last byte and gives its head: the check of wholeness.
///
/// # Errors
/// When it is torn, or lacks version 4, a serial or a lineage.
pub fn head(state: impl Read) -> Result<Head, StateError> {
    reader::read(state, &mut reader::Nothing)
}

/// Reads a whole state into its index: outputs, and what each resource is, without attributes.
///
/// # Errors
/// As [`head`]; also when a resource or output is malformed, or there are absurdly many.
pub fn read(state: impl Read) -> Result<State, StateError> {
    let mut index = index::Index::default();
    let head = reader::read(state, &mut index)?;
    Ok(State {
        head,
        outputs: index.outputs,
        resources: index.resources,
    })
}

/// A value as it stood in the document.
pub type Raw = Box<RawValue>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) const STATE: &str = r#"{
      "version": 4, "terraform_version": "1.11.4", "serial": 7, "lineage": "l-1",
      "outputs": {"ip": {"value": "10.0.0.1", "type": "string"},
                  "conf": {"value": {"a": [1, 2.50]}, "type": ["object", {"a": ["list", "number"]}], "sensitive": true}},
      "resources": [
        {"module": "module.net[\"eu\"]", "mode": "managed", "type": "aws_instance", "name": "web",
         "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
         "instances": [{"index_key": 0, "schema_version": 1, "attributes": {"id": "i-1", "tags": {"id": "no"}}},
                       {"index_key": "k", "status": "tainted", "attributes": {"id": "i-2"}},
                       {"index_key": 0, "deposed": "abcd1234", "attributes": null}]},
        {"mode": "data", "type": "http", "name": "x", "provider": "module.a.provider[\"example.com/n/http\"].eu",
         "instances": [{"schema_version": 0, "attributes": {"id": 5}}]}],
      "check_results": null }
"#;

    #[test]
    fn the_head_is_read_wherever_it_stands() {
        let head = head(r#"{"resources":[],"lineage":"x","serial":0,"version":4}"#.as_bytes());
        assert_eq!(
            head.unwrap(),
            Head {
                serial: 0,
                lineage: "x".into(),
                terraform_version: String::new()
            }
        );
    }

    #[test]
    fn the_index_names_every_instance() {
        let state = read(STATE.as_bytes()).unwrap();
        assert_eq!(state.head.serial, 7);
        assert_eq!(state.instance_count(), 4);
        let web = &state.resources[0];
        assert_eq!(
            web.provider_source(),
            Some("registry.terraform.io/hashicorp/aws")
        );
        assert_eq!(
            state.resources[1].provider_source(),
            Some("example.com/n/http")
        );
        let addresses: Vec<_> = state
            .addresses()
            .map(|(address, _)| address.to_string())
            .collect();
        assert_eq!(
            addresses,
            [
                r#"module.net["eu"].aws_instance.web[0]"#,
                r#"module.net["eu"].aws_instance.web["k"]"#,
                r#"module.net["eu"].aws_instance.web[0]"#,
                "data.http.x",
            ]
        );
        assert_eq!(web.instances[0].id.as_deref(), Some("i-1"));
        assert!(web.instances[1].tainted);
        assert!(web.instances[2].deposed);
        assert_eq!(state.resources[1].instances[0].id, None);
    }

    #[test]
    fn outputs_keep_value_and_type_as_they_stand() {
        let state = read(STATE.as_bytes()).unwrap();
        let conf = state
            .outputs
            .iter()
            .find(|output| output.name == "conf")
            .unwrap();
        assert!(conf.sensitive);
        assert_eq!(conf.value.get(), r#"{"a":[1,2.50]}"#);
        assert_eq!(
            conf.detailed_type.get(),
            r#"["object",{"a":["list","number"]}]"#
        );
        assert_eq!(type_name(&conf.detailed_type), "object");
        assert_eq!(type_name(&state.outputs[0].detailed_type), "string");
    }

    #[test]
    fn another_version_is_named() {
        let error = head(r#"{"version":3,"serial":1,"lineage":"x"}"#.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("version \"3\""), "{error}");
    }

    #[test]
    fn the_reduced_state_is_a_state_with_the_outputs_only() {
        let mut reduced = Vec::new();
        reduce_to_outputs(STATE.as_bytes(), &mut reduced).unwrap();
        let state = read(reduced.as_slice()).unwrap();
        assert_eq!(state.head, read(STATE.as_bytes()).unwrap().head);
        assert_eq!((state.outputs.len(), state.resources.len()), (2, 0));
        assert!(!String::from_utf8(reduced).unwrap().contains("aws_instance"));
    }

    #[test]
    fn an_id_too_long_to_keep_is_left_out() {
        let long = STATE.replace("i-1", &"x".repeat(20_000));
        let state = read(long.as_bytes()).unwrap();
        assert_eq!(state.resources[0].instances[0].id, None);
        assert_eq!(state.resources[0].instances[1].id.as_deref(), Some("i-2"));
    }

    proptest! {
        /// What a kill leaves of a state is never taken for one.
        #[test]
        fn no_proper_prefix_is_whole(cut in 0..STATE.trim_end().len()) {
            let torn = &STATE.as_bytes()[..cut];
            prop_assert!(head(torn).is_err());
            prop_assert!(read(torn).is_err());
            prop_assert!(reduce_to_outputs(torn, &mut Vec::new()).is_err());
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = head(bytes.as_slice());
            let _ = read(bytes.as_slice());
        }
    }
}
