//! The life of an object: planned, made, read, changed, destroyed.

use std::time::Duration;

use rmpv::Value as Wire;
use tf_provider::schema::Schema;
use tf_provider::value::ValueEmpty;
use tf_provider::{AttributePath, Diagnostics, Resource};

use crate::cloud::{Cloud, random};
use crate::kind::{Attribute, Computed, Kind, default_of};
use crate::provider::Shared;
use crate::value::{from_json, get, get_number, get_text, is_unknown, set, to_json, unknown};

/// All objects of one kind.
pub struct Objects {
    pub kind: Kind,
    pub settings: Shared,
}

type Planned = (Wire, ValueEmpty);

impl Objects {
    fn cloud(&self) -> Cloud {
        self.settings
            .read()
            .expect("no thread panics while it writes")
            .cloud
            .clone()
    }

    /// Takes the time that a change takes, and fails if the object asks for it.
    async fn work(&self, problems: &mut Diagnostics, object: &Wire, what: &str) -> Option<()> {
        let latency = self
            .settings
            .read()
            .expect("no thread panics while it writes")
            .latency_ms;
        let delay = get_number(object, "delay_ms").unwrap_or(latency);
        tokio::time::sleep(Duration::from_millis(delay)).await;
        if get_text(object, "fail_on") == Some(what) {
            problems.root_error("sandbox: injected failure", format!("fail_on = {what}"));
            return None;
        }
        Some(())
    }

    fn save(&self, problems: &mut Diagnostics, object: &Wire) -> Option<()> {
        let id = get_text(object, "id").unwrap_or_default();
        match self
            .cloud()
            .write(&self.kind.type_name, id, &to_json(object))
        {
            Ok(()) => Some(()),
            Err(error) => {
                problems.root_error("the object can't be written", format!("{id}: {error}"));
                None
            }
        }
    }

    fn new_id(&self, planned: &Wire) -> String {
        match get_text(planned, "bucket") {
            Some(bucket) => bucket.to_owned(),
            None => format!("{}{}", self.kind.id_prefix, random()),
        }
    }

    /// Gives every attribute that is still unknown its value.
    fn fill(&self, object: &mut Wire, id: &str) {
        for attribute in &self.kind.attributes {
            if get(object, attribute.name).is_some_and(is_unknown) {
                let value = value_of(attribute, object, id);
                set(object, attribute.name, value);
            }
        }
    }
}

fn value_of(attribute: &Attribute, object: &Wire, id: &str) -> Wire {
    match attribute.computed {
        _ if attribute.name == "tags_all" => get(object, "tags").cloned().unwrap_or(Wire::Nil),
        Computed::Default => default_of(&attribute.kind, attribute.name),
        Computed::Random(prefix) => Wire::from(format!("{prefix}{}", random())),
        Computed::WithId(prefix) => Wire::from(format!("{prefix}{id}")),
        Computed::Address(prefix) => {
            let sum: u32 = id.bytes().map(u32::from).sum();
            Wire::from(format!("{prefix}{}", sum % 250 + 2))
        }
        Computed::Padding => {
            let kib = usize::try_from(get_number(object, "pad_kib").unwrap_or(0)).unwrap_or(0);
            Wire::from("0123456789abcdef".repeat(kib * 64))
        }
        Computed::FileContent => {
            let path = get_text(object, "source_file").unwrap_or_default();
            Wire::from(std::fs::read_to_string(path).unwrap_or_else(|_| "missing".to_owned()))
        }
    }
}

#[async_trait::async_trait]
impl Resource for Objects {
    type State<'a> = Wire;
    type PrivateState<'a> = ValueEmpty;
    type ProviderMetaState<'a> = ValueEmpty;

    fn schema(&self, _: &mut Diagnostics) -> Option<Schema> {
        Some(self.kind.schema())
    }

    async fn read<'a>(
        &self,
        problems: &mut Diagnostics,
        state: Wire,
        private: ValueEmpty,
        _: ValueEmpty,
    ) -> Option<Planned> {
        let id = get_text(&state, "id").unwrap_or_default().to_owned();
        let found = match self.cloud().read(&self.kind.type_name, &id) {
            Ok(found) => found?,
            Err(error) => {
                problems.root_error("the object can't be read", format!("{id}: {error}"));
                return Some((state, private));
            }
        };
        let mut state = state;
        for name in self.kind.member_names() {
            if let Some(value) = found.get(name) {
                set(&mut state, name, from_json(value));
            }
        }
        Some((state, private))
    }

    async fn plan_create<'a>(
        &self,
        _: &mut Diagnostics,
        proposed: Wire,
        _: Wire,
        _: ValueEmpty,
    ) -> Option<Planned> {
        let mut planned = proposed;
        for attribute in self.kind.attributes.iter().filter(|it| it.is_computed()) {
            if get(&planned, attribute.name).is_none_or(Wire::is_nil) {
                set(&mut planned, attribute.name, unknown());
            }
        }
        Some((planned, ValueEmpty::default()))
    }

    async fn plan_update<'a>(
        &self,
        _: &mut Diagnostics,
        prior: Wire,
        proposed: Wire,
        _: Wire,
        private: ValueEmpty,
        _: ValueEmpty,
    ) -> Option<(Wire, ValueEmpty, Vec<AttributePath>)> {
        let mut planned = proposed;
        let changes = |name: &str, planned: &Wire| get(&prior, name) != get(planned, name);
        let replacing = self.kind.attributes.iter().filter(|it| it.replaces);
        let replacing = replacing.filter(|it| changes(it.name, &planned));
        let replacing = replacing.map(|it| AttributePath::new(it.name)).collect();
        for (follower, leader) in [("tags_all", "tags"), ("pad", "pad_kib")] {
            if get(&planned, follower).is_some() && changes(leader, &planned) {
                set(&mut planned, follower, unknown());
            }
        }
        Some((planned, private, replacing))
    }

    async fn plan_destroy<'a>(
        &self,
        _: &mut Diagnostics,
        _: Wire,
        private: ValueEmpty,
        _: ValueEmpty,
    ) -> Option<ValueEmpty> {
        Some(private)
    }

    async fn create<'a>(
        &self,
        problems: &mut Diagnostics,
        planned: Wire,
        _: Wire,
        private: ValueEmpty,
        _: ValueEmpty,
    ) -> Option<Planned> {
        self.work(problems, &planned, "create").await?;
        let mut object = planned;
        let id = self.new_id(&object);
        self.fill(&mut object, &id);
        self.save(problems, &object)?;
        Some((object, private))
    }

    async fn update<'a>(
        &self,
        problems: &mut Diagnostics,
        _: Wire,
        planned: Wire,
        _: Wire,
        private: ValueEmpty,
        _: ValueEmpty,
    ) -> Option<Planned> {
        self.work(problems, &planned, "update").await?;
        let mut object = planned;
        let id = get_text(&object, "id").unwrap_or_default().to_owned();
        self.fill(&mut object, &id);
        self.save(problems, &object)?;
        Some((object, private))
    }

    async fn destroy<'a>(
        &self,
        problems: &mut Diagnostics,
        prior: Wire,
        _: ValueEmpty,
        _: ValueEmpty,
    ) -> Option<()> {
        self.work(problems, &prior, "destroy").await?;
        let id = get_text(&prior, "id").unwrap_or_default();
        match self.cloud().delete(&self.kind.type_name, id) {
            Ok(()) => Some(()),
            Err(error) => {
                problems.root_error("the object can't be deleted", format!("{id}: {error}"));
                None
            }
        }
    }

    async fn import<'a>(&self, problems: &mut Diagnostics, id: String) -> Option<Planned> {
        let found = self.cloud().read(&self.kind.type_name, &id).ok().flatten();
        let Some(found) = found else {
            problems.root_error("there is no such object", id);
            return None;
        };
        let mut state = Wire::Map(Vec::new());
        for attribute in &self.kind.attributes {
            let value = found.get(attribute.name).map_or(Wire::Nil, from_json);
            set(&mut state, attribute.name, value);
        }
        for (name, _) in &self.kind.blocks {
            let value = found
                .get(*name)
                .map_or_else(|| Wire::Array(Vec::new()), from_json);
            set(&mut state, name, value);
        }
        Some((state, ValueEmpty::default()))
    }
}
