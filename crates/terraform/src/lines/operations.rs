//! What an apply has begun, and what it says it has made.
//!
//! The state is written after a change is reported, so what was reported and is missing from the
//! last state we hold may exist without being recorded: the third source besides state file and
//! journal when a step was killed.

use std::collections::{BTreeMap, BTreeSet};

use super::{ChangeSummary, Event, Hook};
use crate::address::{Mode, ResourceAddress};
use crate::hcl;
use crate::state::State;

/// One operation that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    pub address: String,
    /// create, update, delete, read…
    pub action: String,
}

/// One object that Terraform has reported as made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    pub address: String,
    pub id_key: String,
    pub id_value: String,
}

/// An object that was made and that no state records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded {
    pub address: String,
    pub id_key: String,
    pub id_value: String,
    /// A ready `import` block that takes it into the state.
    pub import_block: String,
}

/// Follows the lines of one apply.
#[derive(Debug, Clone, Default)]
pub struct Operations {
    in_flight: BTreeMap<String, String>,
    created: Vec<Completed>,
    done: u32,
    errored: u32,
    summary: Option<ChangeSummary>,
}

/// More objects than any apply makes; a bound on what a hostile log can make us keep.
const MAX_CREATED: usize = 1_000_000;

impl Operations {
    /// Takes one line's event into account.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::ApplyStart(hook) => {
                self.in_flight
                    .insert(hook.resource.addr.clone(), hook.action.clone());
            }
            Event::ApplyComplete(hook) => {
                self.in_flight.remove(&hook.resource.addr);
                self.done = self.done.saturating_add(1);
                self.complete(hook);
            }
            Event::ApplyErrored(hook) => {
                self.in_flight.remove(&hook.resource.addr);
                self.errored = self.errored.saturating_add(1);
            }
            Event::ChangeSummary(summary) if summary.operation != "plan" => {
                self.summary = Some(summary.clone());
            }
            Event::Text
            | Event::Version { .. }
            | Event::Log
            | Event::InitOutput
            | Event::Diagnostic(_)
            | Event::RefreshStart(_)
            | Event::RefreshComplete(_)
            | Event::ResourceDrift(_)
            | Event::PlannedChange(_)
            | Event::ChangeSummary(_)
            | Event::Outputs(_)
            | Event::ApplyProgress(_)
            | Event::ProvisionStart(_)
            | Event::ProvisionProgress(_)
            | Event::ProvisionComplete(_)
            | Event::ProvisionErrored(_)
            | Event::Other { .. } => {}
        }
    }

    fn complete(&mut self, hook: &Hook) {
        let (Some(id_key), Some(id_value)) = (&hook.id_key, &hook.id_value) else {
            return;
        };
        if hook.action == "create" && self.created.len() < MAX_CREATED {
            self.created.push(Completed {
                address: hook.resource.addr.clone(),
                id_key: id_key.clone(),
                id_value: id_value.clone(),
            });
        }
    }

    /// What has begun and not ended, in the order of addresses.
    pub fn in_flight(&self) -> impl ExactSizeIterator<Item = InFlight> + '_ {
        self.in_flight.iter().map(|(address, action)| InFlight {
            address: address.clone(),
            action: action.clone(),
        })
    }

    /// Operations that have ended well.
    pub fn done(&self) -> u32 {
        self.done
    }

    pub fn errored(&self) -> u32 {
        self.errored
    }

    /// Objects that were reported as created, in order.
    pub fn created(&self) -> &[Completed] {
        &self.created
    }

    /// Terraform's own count at the end, if it came that far.
    pub fn summary(&self) -> Option<&ChangeSummary> {
        self.summary.as_ref()
    }

    /// What was reported as created and is not in `state`; without any state, everything created.
    ///
    /// An address that is recorded with another id counts as unrecorded: the new object is not it.
    pub fn possibly_unrecorded(&self, state: Option<&State>) -> Vec<Unrecorded> {
        let recorded = state.map(Recorded::of).unwrap_or_default();
        let missing = self.created.iter().filter(|created| !recorded.has(created));
        missing.map(unrecorded).collect()
    }
}

#[derive(Default)]
struct Recorded {
    addresses: BTreeSet<ResourceAddress>,
    with_id: BTreeSet<(ResourceAddress, String)>,
    without_id: BTreeSet<ResourceAddress>,
}

impl Recorded {
    fn of(state: &State) -> Self {
        let mut recorded = Self::default();
        for (address, instance) in state.addresses() {
            match &instance.id {
                Some(id) => {
                    recorded.with_id.insert((address.clone(), id.clone()));
                }
                None => {
                    recorded.without_id.insert(address.clone());
                }
            }
            recorded.addresses.insert(address);
        }
        recorded
    }

    fn has(&self, created: &Completed) -> bool {
        let Ok(address) = created.address.parse::<ResourceAddress>() else {
            return false;
        };
        if address.mode != Mode::Managed {
            return true;
        }
        if created.id_key != "id" || self.without_id.contains(&address) {
            return self.addresses.contains(&address);
        }
        self.with_id.contains(&(address, created.id_value.clone()))
    }
}

fn unrecorded(created: &Completed) -> Unrecorded {
    let Completed {
        address,
        id_key,
        id_value,
    } = created.clone();
    let id = hcl::quote(&id_value);
    let import_block = format!("import {{\n  to = {address}\n  id = {id}\n}}\n");
    Unrecorded {
        address,
        id_key,
        id_value,
        import_block,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::Line;

    fn observed(lines: &[(&str, &str, &str, &str)]) -> Operations {
        let mut operations = Operations::default();
        for (kind, address, action, id) in lines {
            let line = format!(
                r#"{{"@level":"info","@message":"m","type":"{kind}","hook":{{"resource":{{"addr":{}}},"action":"{action}","id_key":"id","id_value":"{id}"}}}}"#,
                serde_json::Value::from(*address)
            );
            operations.observe(&Line::parse(&line).event);
        }
        operations
    }

    #[test]
    fn begun_and_not_ended_is_in_flight() {
        let operations = observed(&[
            ("apply_start", "a.b[0]", "create", ""),
            ("apply_start", "a.b[1]", "delete", ""),
            ("apply_start", "a.b[2]", "update", ""),
            ("apply_complete", "a.b[0]", "create", "i-0"),
            ("apply_errored", "a.b[2]", "update", ""),
        ]);
        let in_flight: Vec<_> = operations.in_flight().collect();
        assert_eq!(
            in_flight,
            [InFlight {
                address: "a.b[1]".into(),
                action: "delete".into()
            }]
        );
        assert_eq!((operations.done(), operations.errored()), (1, 1));
    }

    #[test]
    fn what_no_state_records_is_listed_with_a_ready_import() {
        let state = crate::state::read(
            r#"{"version":4,"serial":1,"lineage":"l","resources":[
                {"mode":"managed","type":"a","name":"b","instances":[
                  {"index_key":"k","attributes":{"id":"i-1"}},{"index_key":"o","attributes":{"id":"old"}}]}]}"#
                .as_bytes(),
        )
        .unwrap();
        let operations = observed(&[
            ("apply_complete", r#"a.b["k"]"#, "create", "i-1"),
            ("apply_complete", r#"a.b["o"]"#, "create", "new"),
            ("apply_complete", r#"a.b["${x}"]"#, "create", "i-3"),
            ("apply_complete", "a.gone", "delete", "i-4"),
        ]);
        let unrecorded = operations.possibly_unrecorded(Some(&state));
        let ids: Vec<_> = unrecorded.iter().map(|it| it.id_value.as_str()).collect();
        assert_eq!(ids, ["new", "i-3"]);
        assert_eq!(
            unrecorded[0].import_block,
            "import {\n  to = a.b[\"o\"]\n  id = \"new\"\n}\n"
        );
        assert_eq!(operations.possibly_unrecorded(None).len(), 3);
    }
}
