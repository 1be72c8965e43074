//! A plan or a state, as `terraform show -json` prints it, reduced to what prices depend on.
//!
//! Two **worlds** come out of it: what exists (prior) and what is wanted (proposed). A replaced resource is once
//! in each. Old formats (0.12 on) are read; what is neither a plan nor a state is an error, not an empty cost.

mod configuration;
mod document;
mod state_file;
mod world;

use std::io::Read;

use serde_json::Value;

pub(crate) use configuration::{Configuration, Target};
pub(crate) use world::{Entity, World};

/// Why a plan could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not JSON, or not in the form of a plan or state.
    #[error("this is not the JSON of a plan or state (terraform show -json)")]
    Json(#[source] serde_json::Error),
    /// JSON, but something else.
    #[error(
        "this JSON is neither a plan nor a state: it has no resource_changes, planned_values or values"
    )]
    Shape,
    /// A format of a later major version.
    #[error("plan format {0} is not known; plans of format 0.1 to 1.x and states of version 4 are")]
    Version(String),
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It stays as it is.
    Unchanged,
    /// It is made.
    Created,
    /// It is changed in place.
    Updated,
    /// It is destroyed and made again.
    Replaced,
    /// It is destroyed.
    Removed,
    /// Terraform stops managing it; it goes on existing, and costing.
    Forgotten,
}

impl Action {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::Forgotten => "forgotten",
        }
    }

    fn of(actions: &[String]) -> Option<Self> {
        let names: Vec<&str> = actions.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["no-op"] => Some(Self::Unchanged),
            ["create"] => Some(Self::Created),
            ["update"] => Some(Self::Updated),
            ["delete"] => Some(Self::Removed),
            ["delete", "create"] | ["create", "delete"] => Some(Self::Replaced),
            ["forget"] => Some(Self::Forgotten),
            _ => None,
        }
    }
}

/// A plan, ready to be priced.
#[derive(Debug)]
pub struct Plan {
    pub(crate) prior: World,
    pub(crate) proposed: World,
    pub(crate) configuration: Configuration,
    /// What happens to each address; addresses that are in a world only are unchanged.
    pub(crate) actions: std::collections::HashMap<String, Action>,
}

impl Plan {
    /// Reads the JSON of a plan or of a state, as a stream. A state is priced as one that stays as it is.
    ///
    /// # Errors
    /// What is not a plan or state.
    pub fn from_reader(reader: impl Read) -> Result<Self, PlanError> {
        let document: document::Document =
            serde_json::from_reader(reader).map_err(PlanError::Json)?;
        let version = document.format_version.as_deref().unwrap_or("0.1");
        if !(version.starts_with("0.") || version.starts_with("1.")) {
            return Err(PlanError::Version(version.to_owned()));
        }
        let configuration = Configuration::new(document.configuration, &document.variables);
        let mut actions = std::collections::HashMap::new();
        let (prior, proposed) = match (document.resource_changes, document.planned_values) {
            (Some(changes), _) if !changes.is_empty() => changed(changes, &mut actions),
            (_, Some(planned)) => {
                let prior = document.prior_state.and_then(|state| state.values);
                (held(prior.unwrap_or_default()), held(planned))
            }
            (Some(_), None) => (Vec::new(), Vec::new()),
            (None, None) => match document.values {
                Some(values) => (held(values.clone()), held(values)),
                None => return Err(PlanError::Shape),
            },
        };
        Ok(Self {
            prior: World::new(prior),
            proposed: World::new(proposed),
            configuration,
            actions,
        })
    }
}

impl Plan {
    /// Reads a state as Terraform stores it (version 4), as a stream. Its resources are what is wanted, and nothing
    /// is prior: what it costs is the proposed total.
    /// Regions that only providers tell are not in it: see [`Plan::configured_as`].
    ///
    /// # Errors
    /// What is not a state of version 4.
    pub fn from_state_file(reader: impl Read) -> Result<Self, PlanError> {
        Ok(Self {
            prior: World::new(Vec::new()),
            proposed: World::new(state_file::read(reader)?),
            configuration: Configuration::default(),
            actions: std::collections::HashMap::new(),
        })
    }

    /// Reads the configuration of a plan and nothing else, as a stream: for [`Plan::configured_as`].
    ///
    /// # Errors
    /// What is not a plan.
    pub fn configuration_from_reader(reader: impl Read) -> Result<Self, PlanError> {
        let document: document::Configured =
            serde_json::from_reader(reader).map_err(PlanError::Json)?;
        Ok(Self {
            prior: World::new(Vec::new()),
            proposed: World::new(Vec::new()),
            configuration: Configuration::new(document.configuration, &document.variables),
            actions: std::collections::HashMap::new(),
        })
    }

    /// The same resources with the configuration (providers, references) of another plan, typically the one whose
    /// apply wrote the state.
    #[must_use]
    pub fn configured_as(mut self, other: Self) -> Self {
        self.configuration = other.configuration;
        self
    }
}

fn changed(
    changes: Vec<document::ResourceChange>,
    actions: &mut std::collections::HashMap<String, Action>,
) -> (Vec<Entity>, Vec<Entity>) {
    let (mut prior, mut proposed) = (Vec::new(), Vec::new());
    for change in changes {
        if change.mode.as_deref() == Some("data") {
            continue;
        }
        let Some(action) = Action::of(&change.change.actions) else {
            continue;
        };
        // A deposed object is what is left of a replacement that failed: it exists, and is being destroyed.
        let address = match &change.deposed {
            Some(key) => format!("{} (deposed {key})", change.address),
            None => change.address.clone(),
        };
        actions.insert(address.clone(), action);
        let entity = |values: Value, unknown: Value| {
            Entity::new(
                address.clone(),
                change.module_address.clone(),
                change.kind.clone(),
                change.name.clone(),
                change.index.clone(),
                values,
                unknown,
            )
        };
        if change.change.before.is_object() {
            prior.push(entity(change.change.before, Value::Null));
        }
        let stays = !matches!(action, Action::Removed | Action::Forgotten);
        if stays && change.change.after.is_object() {
            proposed.push(entity(change.change.after, change.change.after_unknown));
        }
    }
    (prior, proposed)
}

fn held(values: document::StateValues) -> Vec<Entity> {
    let mut found = Vec::new();
    let mut modules: Vec<document::Module> = values.root_module.into_iter().collect();
    while let Some(module) = modules.pop() {
        for resource in module.resources {
            if resource.mode.as_deref() == Some("data") {
                continue;
            }
            // States of 0.12 name resources from their module on, and without their keys.
            let mut address = resource.address;
            if let Some(home) = &module.address
                && !address.starts_with(home.as_str())
            {
                address = format!("{home}.{address}");
            }
            if let Some(key) = &resource.index
                && !address.ends_with(']')
            {
                address = format!("{address}[{key}]");
            }
            found.push(Entity::new(
                address,
                module.address.clone(),
                resource.kind,
                resource.name,
                resource.index,
                resource.values,
                Value::Null,
            ));
        }
        modules.extend(module.child_modules);
    }
    found
}
