//! What a state holds, without the attributes.

use std::io::{self, Read, Write};

use serde_json::value::RawValue;
use struson::reader::{JsonReader, ValueType};
use struson::writer::{JsonStreamWriter, JsonWriter};

use super::reader::{Body, Json, expect, is_null, short_text, text};
use super::{Head, Raw, StateError};
use crate::address::{InstanceKey, Mode, ModuleStep, ResourceAddress, parse_module_path};

/// A state's head, outputs and resource index.
#[derive(Debug, Clone)]
pub struct State {
    pub head: Head,
    pub outputs: Vec<Output>,
    pub resources: Vec<Resource>,
}

#[derive(Debug, Clone)]
pub struct Output {
    pub name: String,
    pub value: Raw,
    /// Terraform's JSON form of the type: `"string"`, `["object",{…}]`.
    pub detailed_type: Raw,
    pub sensitive: bool,
}

/// One resource with all its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub module: Vec<ModuleStep>,
    pub mode: Mode,
    pub resource_type: String,
    pub name: String,
    /// As the state has it: `provider["registry.terraform.io/hashicorp/aws"].alias`.
    pub provider: String,
    pub instances: Vec<Instance>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    pub key: Option<InstanceKey>,
    /// The attribute `id`, where there is one and it is a text.
    pub id: Option<String>,
    pub tainted: bool,
    /// An object that was replaced and could not be destroyed yet.
    pub deposed: bool,
}

impl State {
    /// Every instance with its address.
    pub fn addresses(&self) -> impl Iterator<Item = (ResourceAddress, &Instance)> {
        self.resources.iter().flat_map(|resource| {
            resource
                .instances
                .iter()
                .map(|instance| (resource.address(&instance.key), instance))
        })
    }

    pub fn instance_count(&self) -> usize {
        self.resources
            .iter()
            .map(|resource| resource.instances.len())
            .sum()
    }
}

impl Resource {
    pub fn address(&self, key: &Option<InstanceKey>) -> ResourceAddress {
        ResourceAddress {
            module: self.module.clone(),
            mode: self.mode,
            resource_type: self.resource_type.clone(),
            name: self.name.clone(),
            key: key.clone(),
        }
    }

    /// The provider's source address, without module and alias.
    pub fn provider_source(&self) -> Option<&str> {
        let (_, quoted) = self.provider.split_once("provider[\"")?;
        quoted.split_once("\"]").map(|(source, _)| source)
    }
}

/// The plain word for a detailed type: `string`, `number`, `bool`, `list`, `set`, `map`, `object`,
/// `tuple`, `dynamic`.
pub fn type_name(detailed_type: &RawValue) -> String {
    let json = detailed_type.get().trim_start_matches(['[', ' ', '\n']);
    json.split('"').nth(1).unwrap_or("dynamic").to_owned()
}

/// More than any real state has; a bound on what a hostile one can make us keep.
const MAX_OUTPUTS: usize = 100_000;
const MAX_INSTANCES: usize = 2_000_000;
/// Bytes of one output's value.
const MAX_OUTPUT: usize = 32 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Index {
    pub(super) outputs: Vec<Output>,
    pub(super) resources: Vec<Resource>,
    instances: usize,
}

impl Body for Index {
    fn outputs<R: Read>(&mut self, json: &mut Json<R>) -> Result<(), StateError> {
        if is_null(json)? {
            return Ok(());
        }
        expect(json, ValueType::Object, "outputs")?;
        json.begin_object()?;
        while json.has_next()? {
            let name = json.next_name_owned()?;
            self.outputs.push(output(json, name)?);
            if self.outputs.len() > MAX_OUTPUTS {
                return Err(StateError::TooMany {
                    what: "outputs",
                    limit: MAX_OUTPUTS,
                });
            }
        }
        Ok(json.end_object()?)
    }

    fn resources<R: Read>(&mut self, json: &mut Json<R>) -> Result<(), StateError> {
        if is_null(json)? {
            return Ok(());
        }
        expect(json, ValueType::Array, "resources")?;
        json.begin_array()?;
        while json.has_next()? {
            let resource = resource(json)?;
            self.instances += resource.instances.len().max(1);
            self.resources.push(resource);
            if self.instances > MAX_INSTANCES {
                return Err(StateError::TooMany {
                    what: "instances",
                    limit: MAX_INSTANCES,
                });
            }
        }
        Ok(json.end_array()?)
    }
}

fn output<R: Read>(json: &mut Json<R>, name: String) -> Result<Output, StateError> {
    expect(json, ValueType::Object, "outputs")?;
    let (mut value, mut detailed_type, mut sensitive) = (None, None, false);
    json.begin_object()?;
    while json.has_next()? {
        match json.next_name()? {
            "value" => value = Some(raw(json)?),
            "type" => detailed_type = Some(raw(json)?),
            "sensitive" => {
                expect(json, ValueType::Boolean, "sensitive")?;
                sensitive = json.next_bool()?;
            }
            _ => json.skip_value()?,
        }
    }
    json.end_object()?;
    Ok(Output {
        name,
        value: value.ok_or(StateError::Missing { field: "value" })?,
        detailed_type: detailed_type.ok_or(StateError::Missing { field: "type" })?,
        sensitive,
    })
}

fn raw<R: Read>(json: &mut Json<R>) -> Result<Raw, StateError> {
    let mut copy = Bounded::default();
    let mut writer = JsonStreamWriter::new(&mut copy);
    let copied = json.transfer_to(&mut writer).map_err(StateError::Copy);
    let written = copied.and_then(|()| {
        writer
            .finish_document()
            .map(drop)
            .map_err(StateError::Write)
    });
    if copy.full {
        return Err(StateError::TooMany {
            what: "bytes in one output",
            limit: MAX_OUTPUT,
        });
    }
    written?;
    let text = String::from_utf8(copy.bytes).map_err(|_| StateError::Field { field: "value" })?;
    RawValue::from_string(text).map_err(|_| StateError::Field { field: "value" })
}

/// Takes bytes up to [`MAX_OUTPUT`].
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            self.full = true;
            return Err(io::Error::other("an output is too large"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn resource<R: Read>(json: &mut Json<R>) -> Result<Resource, StateError> {
    expect(json, ValueType::Object, "resources")?;
    let mut resource = Resource {
        module: Vec::new(),
        mode: Mode::Managed,
        resource_type: String::new(),
        name: String::new(),
        provider: String::new(),
        instances: Vec::new(),
    };
    json.begin_object()?;
    while json.has_next()? {
        match json.next_name_owned()?.as_str() {
            "module" => {
                resource.module = parse_module_path(&text(json, "module")?)
                    .map_err(|_| StateError::Field { field: "module" })?;
            }
            "mode" => {
                resource.mode = match text(json, "mode")?.as_str() {
                    "managed" => Mode::Managed,
                    "data" => Mode::Data,
                    "ephemeral" => Mode::Ephemeral,
                    _ => return Err(StateError::Field { field: "mode" }),
                };
            }
            "type" => resource.resource_type = text(json, "type")?,
            "name" => resource.name = text(json, "name")?,
            "provider" => resource.provider = text(json, "provider")?,
            "instances" => resource.instances = instances(json)?,
            _ => json.skip_value()?,
        }
    }
    json.end_object()?;
    match (resource.resource_type.as_str(), resource.name.as_str()) {
        ("", _) => Err(StateError::Missing { field: "type" }),
        (_, "") => Err(StateError::Missing { field: "name" }),
        _ => Ok(resource),
    }
}

fn instances<R: Read>(json: &mut Json<R>) -> Result<Vec<Instance>, StateError> {
    let mut instances = Vec::new();
    if is_null(json)? {
        return Ok(instances);
    }
    expect(json, ValueType::Array, "instances")?;
    json.begin_array()?;
    while json.has_next()? {
        instances.push(instance(json)?);
        if instances.len() > MAX_INSTANCES {
            return Err(StateError::TooMany {
                what: "instances",
                limit: MAX_INSTANCES,
            });
        }
    }
    json.end_array()?;
    Ok(instances)
}

fn instance<R: Read>(json: &mut Json<R>) -> Result<Instance, StateError> {
    expect(json, ValueType::Object, "instances")?;
    let mut instance = Instance::default();
    json.begin_object()?;
    while json.has_next()? {
        match json.next_name_owned()?.as_str() {
            "index_key" => instance.key = key(json)?,
            "status" => instance.tainted = text(json, "status")? == "tainted",
            "deposed" => instance.deposed = !text(json, "deposed")?.is_empty(),
            "attributes" => instance.id = id(json)?,
            _ => json.skip_value()?,
        }
    }
    json.end_object()?;
    Ok(instance)
}

fn key<R: Read>(json: &mut Json<R>) -> Result<Option<InstanceKey>, StateError> {
    let field = "index_key";
    match json.peek()? {
        ValueType::Number => {
            let index = json.next_number_as_str()?.parse();
            Ok(Some(InstanceKey::Index(
                index.map_err(|_| StateError::Field { field })?,
            )))
        }
        ValueType::String => Ok(Some(InstanceKey::Key(text(json, field)?))),
        ValueType::Null => {
            json.next_null()?;
            Ok(None)
        }
        ValueType::Array | ValueType::Object | ValueType::Boolean => {
            Err(StateError::Field { field })
        }
    }
}

fn id<R: Read>(json: &mut Json<R>) -> Result<Option<String>, StateError> {
    if json.peek()? != ValueType::Object {
        json.skip_value()?;
        return Ok(None);
    }
    let mut id = None;
    json.begin_object()?;
    while json.has_next()? {
        if json.next_name()? == "id" && json.peek()? == ValueType::String {
            id = short_text(json)?;
        } else {
            json.skip_value()?;
        }
    }
    json.end_object()?;
    Ok(id)
}
