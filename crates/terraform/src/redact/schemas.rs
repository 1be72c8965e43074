//! The schemas of the resource types that a plan changes, out of `providers schema -json`.

use std::collections::BTreeMap;
use std::io::Read;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::stream::{Members, TakeMember};

/// Stands in for a schema that isn't there.
const EMPTY: &str = r#"{"version":0,"block":{}}"#;

type Schemas = BTreeMap<String, Option<Box<RawValue>>>;

#[derive(Default)]
struct Provider {
    resources: Schemas,
    data_sources: Schemas,
}

/// The types whose schemas are looked for, and what has been found of them.
#[derive(Default)]
pub(super) struct Needed {
    providers: BTreeMap<String, Provider>,
}

/// The outcome of a search.
pub(super) struct Found {
    /// As JSON.
    pub(super) format_version: String,
    needed: Needed,
}

impl Needed {
    pub(super) fn add(&mut self, provider: &str, mode: &str, kind: &str) {
        let provider = self.providers.entry(provider.to_owned()).or_default();
        let schemas = if mode == "data" {
            &mut provider.data_sources
        } else {
            &mut provider.resources
        };
        schemas.entry(kind.to_owned()).or_insert(None);
    }

    pub(super) fn read(self, schemas: impl Read) -> Result<Found, serde_json::Error> {
        let mut found = Found {
            format_version: "\"1.0\"".to_owned(),
            needed: self,
        };
        let mut json = serde_json::Deserializer::from_reader(schemas);
        Members(&mut found).deserialize(&mut json)?;
        json.end()?;
        Ok(found)
    }
}

impl TakeMember for Found {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "format_version" => {
                self.format_version = map.next_value::<Box<RawValue>>()?.get().to_owned();
                Ok(())
            }
            "provider_schemas" => map.next_value_seed(Members(&mut self.needed)),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl TakeMember for Needed {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match self.providers.get_mut(name) {
            Some(provider) => map.next_value_seed(Members(provider)),
            None => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl TakeMember for Provider {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "resource_schemas" => map.next_value_seed(Members(&mut self.resources)),
            "data_source_schemas" => map.next_value_seed(Members(&mut self.data_sources)),
            _ => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl TakeMember for Schemas {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match self.get_mut(name) {
            Some(schema) => {
                *schema = Some(map.next_value()?);
                Ok(())
            }
            None => map.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

impl Found {
    /// The member `provider_schemas`, with [`EMPTY`] for what was not found.
    pub(super) fn to_json(&self) -> String {
        let providers = self.needed.providers.iter().map(|(name, provider)| {
            let resources = object(provider.resources.iter().map(schema));
            let data_sources = object(provider.data_sources.iter().map(schema));
            let json = format!(
                "{{\"resource_schemas\":{resources},\"data_source_schemas\":{data_sources}}}"
            );
            (name.as_str(), json)
        });
        object(providers)
    }

    /// `PROVIDER TYPE` of what was not found.
    pub(super) fn missing(&self) -> Vec<String> {
        let of = |name: &str, schemas: &Schemas| {
            let missing = schemas.iter().filter(|(_, schema)| schema.is_none());
            missing
                .map(|(kind, _)| format!("{name} {kind}"))
                .collect::<Vec<_>>()
        };
        let providers = self.needed.providers.iter();
        providers
            .flat_map(|(name, provider)| {
                [
                    of(name, &provider.resources),
                    of(name, &provider.data_sources),
                ]
            })
            .flatten()
            .collect()
    }
}

fn schema<'a>((kind, schema): (&'a String, &'a Option<Box<RawValue>>)) -> (&'a str, String) {
    (
        kind,
        schema.as_deref().map_or(EMPTY, RawValue::get).to_owned(),
    )
}

fn object<'a>(members: impl Iterator<Item = (&'a str, String)>) -> String {
    let members: Vec<_> = members
        .map(|(name, json)| format!("{}:{json}", Value::from(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}
