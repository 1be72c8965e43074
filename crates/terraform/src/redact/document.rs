//! Reads a plan as a stream and writes the redacted document as it goes.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess};
use serde_json::Value;
use serde_json::value::RawValue;

use super::RedactError;
use super::blank::{blank, marks_anything};
use super::schemas::Needed;
use crate::stream::{Members, TakeMember, try_each};

/// The document being written.
pub(super) struct Output<'w, W> {
    out: &'w mut W,
    needed: Needed,
    blanked: u64,
    first: bool,
    version_seen: bool,
    /// A failed write ends the parse with a JSON error; what really happened is kept here.
    failed: Option<std::io::Error>,
}

/// What decides whether a resource change can be copied as it stands.
#[derive(Deserialize)]
struct Glance<'a> {
    #[serde(default)]
    mode: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    provider_name: String,
    #[serde(borrow)]
    change: Marks<'a>,
}

#[derive(Deserialize)]
struct Marks<'a> {
    #[serde(borrow)]
    before_sensitive: Option<&'a RawValue>,
    #[serde(borrow)]
    after_sensitive: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Deferred {
    reason: Option<Box<RawValue>>,
    resource_change: Box<RawValue>,
}

impl Marks<'_> {
    fn any(&self) -> Result<bool, serde_json::Error> {
        for marks in [self.before_sensitive, self.after_sensitive]
            .into_iter()
            .flatten()
        {
            if marks_anything(&serde_json::from_str(marks.get())?) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<'w, W: Write> Output<'w, W> {
    pub(super) fn new(out: &'w mut W) -> Self {
        Self {
            out,
            needed: Needed::default(),
            blanked: 0,
            first: true,
            version_seen: false,
            failed: None,
        }
    }

    pub(super) fn copy_plan(&mut self, plan: impl Read) -> Result<(), RedactError> {
        let mut json = serde_json::Deserializer::from_reader(plan);
        let read = Members(self)
            .deserialize(&mut json)
            .and_then(|()| json.end());
        let read = read.and_then(|()| match self.version_seen {
            true => Ok(()),
            false => Err(serde_json::Error::missing_field("format_version")),
        });
        match (self.failed.take(), read) {
            (Some(error), _) => Err(RedactError::Write(error)),
            (None, Err(error)) => Err(RedactError::Plan(error)),
            (None, Ok(())) => Ok(()),
        }
    }

    pub(super) fn copy_schemas(&mut self, schemas: impl Read) -> Result<Vec<String>, RedactError> {
        let needed = std::mem::take(&mut self.needed);
        let found = needed.read(schemas).map_err(RedactError::Schemas)?;
        let mut write = |name: &str, json: &str| self.field(name).and_then(|()| self.put(json));
        write("provider_format_version", &found.format_version)
            .and_then(|()| write("provider_schemas", &found.to_json()))
            .map_err(|_| RedactError::Write(self.write_error()))?;
        Ok(found.missing())
    }

    /// Closes the document; gives the number of blanked values.
    pub(super) fn finish(mut self) -> Result<u64, RedactError> {
        self.put("}")
            .map_err(|_| RedactError::Write(self.write_error()))?;
        Ok(self.blanked)
    }

    fn write_error(&mut self) -> std::io::Error {
        self.failed
            .take()
            .unwrap_or_else(|| std::io::Error::other("the output failed"))
    }

    fn put(&mut self, text: &str) -> Result<(), String> {
        self.out.write_all(text.as_bytes()).map_err(|error| {
            let text = error.to_string();
            self.failed = Some(error);
            text
        })
    }

    fn field(&mut self, name: &str) -> Result<(), String> {
        let opening = if self.first { "{" } else { "," };
        self.first = false;
        self.put(&format!("{opening}{}:", Value::from(name)))
    }

    fn resource_change(&mut self, raw: &RawValue) -> Result<(), String> {
        let glance: Glance<'_> = serde_json::from_str(raw.get()).map_err(text)?;
        self.needed
            .add(&glance.provider_name, &glance.mode, &glance.kind);
        if !glance.change.any().map_err(text)? {
            return self.put(raw.get());
        }
        let mut resource: Value = serde_json::from_str(raw.get()).map_err(text)?;
        self.blanked += blank(&mut resource["change"]);
        self.put(&resource.to_string())
    }

    fn deferred_change(&mut self, deferred: &Deferred) -> Result<(), String> {
        let reason = deferred.reason.as_deref().map_or("null", RawValue::get);
        self.put(&format!("{{\"reason\":{reason},\"resource_change\":"))?;
        self.resource_change(&deferred.resource_change)?;
        self.put("}")
    }

    fn output_change(&mut self, raw: &RawValue) -> Result<(), String> {
        let marks: Marks<'_> = serde_json::from_str(raw.get()).map_err(text)?;
        if !marks.any().map_err(text)? {
            return self.put(raw.get());
        }
        let mut change: Value = serde_json::from_str(raw.get()).map_err(text)?;
        self.blanked += blank(&mut change);
        self.put(&change.to_string())
    }
}

fn text(error: serde_json::Error) -> String {
    error.to_string()
}

impl<W: Write> Output<'_, W> {
    /// Copies an array, element by element, with `copy`.
    fn array<'de, T, A>(
        &mut self,
        map: &mut A,
        mut copy: impl FnMut(&mut Self, T) -> Result<(), String>,
    ) -> Result<(), A::Error>
    where
        T: Deserialize<'de>,
        A: MapAccess<'de>,
    {
        self.put("[").map_err(A::Error::custom)?;
        let mut between = "";
        map.next_value_seed(try_each(|element| {
            self.put(std::mem::replace(&mut between, ","))?;
            copy(self, element)
        }))?;
        self.put("]").map_err(A::Error::custom)
    }

    fn output_changes(&mut self, changes: &OutputChanges) -> Result<(), String> {
        self.put("{")?;
        let mut between = "";
        for (name, change) in changes {
            self.put(&format!("{between}{}:", Value::from(name.as_str())))?;
            self.output_change(change)?;
            between = ",";
        }
        self.put("}")
    }
}

type OutputChanges = BTreeMap<String, Box<RawValue>>;

impl<W: Write> TakeMember for Output<'_, W> {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let copied = match name {
            "format_version" => "plan_format_version",
            "relevant_attributes"
            | "resource_changes"
            | "resource_drift"
            | "deferred_changes"
            | "output_changes" => name,
            _ => return map.next_value::<IgnoredAny>().map(|_| ()),
        };
        self.field(copied).map_err(A::Error::custom)?;
        match name {
            "resource_changes" | "resource_drift" => self
                .array(map, |output, change: Box<RawValue>| {
                    output.resource_change(&change)
                }),
            "deferred_changes" => self.array(map, |output, deferred: Deferred| {
                output.deferred_change(&deferred)
            }),
            "output_changes" => {
                let changes: Option<OutputChanges> = map.next_value()?;
                self.output_changes(&changes.unwrap_or_default())
                    .map_err(A::Error::custom)
            }
            _ => {
                self.version_seen |= name == "format_version";
                let value: Box<RawValue> = map.next_value()?;
                self.put(value.get()).map_err(A::Error::custom)
            }
        }
    }
}
