//! Resource addresses: `module.net["eu"].data.aws_subnet.a[0]`.
//!
//! Needed to tell data sources from managed resources, to index a state by module and type, and to
//! compare what a log says with what a state says, whatever the spelling of the keys.

use std::fmt;
use std::str::FromStr;

use crate::hcl;

/// The longest address that is parsed; Terraform's own are far below.
const MAX_LENGTH: usize = 8 * 1024;

/// `count` or `for_each` key of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InstanceKey {
    Index(u64),
    Key(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    Managed,
    Data,
    Ephemeral,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleStep {
    pub name: String,
    pub key: Option<InstanceKey>,
}

/// A resource, or one instance of it when `key` is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceAddress {
    pub module: Vec<ModuleStep>,
    pub mode: Mode,
    pub resource_type: String,
    pub name: String,
    pub key: Option<InstanceKey>,
}

/// Why a text is no resource address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{found:?} is no resource address: {problem} at byte {at}")]
pub struct ParseAddressError {
    /// The text, shortened.
    pub found: String,
    pub problem: &'static str,
    pub at: usize,
}

impl ResourceAddress {
    /// The module path as Terraform prints it; empty for the root module.
    pub fn module_path(&self) -> String {
        module_path(&self.module)
    }
}

fn module_path(steps: &[ModuleStep]) -> String {
    let mut text = String::new();
    for step in steps {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str("module.");
        text.push_str(&step.name);
        if let Some(key) = &step.key {
            text.push_str(&key.to_string());
        }
    }
    text
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(key) => write!(f, "[{}]", hcl::quote(key)),
        }
    }
}

impl fmt::Display for ResourceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_empty() {
            write!(f, "{}.", module_path(&self.module))?;
        }
        match self.mode {
            Mode::Managed => {}
            Mode::Data => f.write_str("data.")?,
            Mode::Ephemeral => f.write_str("ephemeral.")?,
        }
        write!(f, "{}.{}", self.resource_type, self.name)?;
        self.key.iter().try_for_each(|key| write!(f, "{key}"))
    }
}

impl FromStr for ResourceAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let mut parser = Parser { text, at: 0 };
        parser.address().map_err(|problem| ParseAddressError {
            found: text.chars().take(120).collect(),
            problem,
            at: parser.at,
        })
    }
}

/// Reads a module path as it stands in a state's `module` field.
///
/// # Errors
/// When the text is anything but `module.NAME[KEY]` steps joined by dots.
pub fn parse_module_path(text: &str) -> Result<Vec<ModuleStep>, ParseAddressError> {
    let mut parser = Parser { text, at: 0 };
    parser.only_modules().map_err(|problem| ParseAddressError {
        found: text.chars().take(120).collect(),
        problem,
        at: parser.at,
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn address(&mut self) -> Result<ResourceAddress, &'static str> {
        let module = self.modules()?;
        let mut word = self.identifier()?;
        let mode = match word {
            "data" => Mode::Data,
            "ephemeral" => Mode::Ephemeral,
            _ => Mode::Managed,
        };
        if mode != Mode::Managed {
            self.dot()?;
            word = self.identifier()?;
        }
        self.dot()?;
        let name = self.identifier()?.to_owned();
        let key = self.key()?;
        if self.at != self.text.len() {
            return Err("unexpected text after the address");
        }
        Ok(ResourceAddress {
            module,
            mode,
            resource_type: word.to_owned(),
            name,
            key,
        })
    }

    fn modules(&mut self) -> Result<Vec<ModuleStep>, &'static str> {
        if self.text.len() > MAX_LENGTH {
            return Err("too long");
        }
        let mut steps = Vec::new();
        while self.rest().starts_with("module.") {
            steps.push(self.module()?);
            self.dot()?;
        }
        Ok(steps)
    }

    fn only_modules(&mut self) -> Result<Vec<ModuleStep>, &'static str> {
        if self.text.len() > MAX_LENGTH {
            return Err("too long");
        }
        let mut steps = Vec::new();
        while self.at < self.text.len() {
            if !steps.is_empty() {
                self.dot()?;
            }
            if !self.rest().starts_with("module.") {
                return Err("expected `module.`");
            }
            steps.push(self.module()?);
        }
        Ok(steps)
    }

    fn module(&mut self) -> Result<ModuleStep, &'static str> {
        self.at += "module.".len();
        let name = self.identifier()?.to_owned();
        let key = self.key()?;
        Ok(ModuleStep { name, key })
    }

    fn dot(&mut self) -> Result<(), &'static str> {
        if self.rest().starts_with('.') {
            self.at += 1;
            Ok(())
        } else {
            Err("expected `.`")
        }
    }

    fn identifier(&mut self) -> Result<&'a str, &'static str> {
        let rest = self.rest();
        let end = rest
            .char_indices()
            .find(|(_, c)| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
            .map_or(rest.len(), |(at, _)| at);
        if end == 0 {
            return Err("expected a name");
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn key(&mut self) -> Result<Option<InstanceKey>, &'static str> {
        let Some(inside) = self.rest().strip_prefix('[') else {
            return Ok(None);
        };
        let (key, used) = if inside.starts_with('"') {
            let (key, used) = hcl::unquote_prefix(inside).ok_or("badly quoted key")?;
            (InstanceKey::Key(key), used)
        } else {
            let used = inside.bytes().take_while(u8::is_ascii_digit).count();
            let index = inside[..used]
                .parse()
                .map_err(|_| "expected a number or a quoted key")?;
            (InstanceKey::Index(index), used)
        };
        if !inside[used..].starts_with(']') {
            return Err("expected `]`");
        }
        self.at += 1 + used + 1;
        Ok(Some(key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_every_part() {
        let address: ResourceAddress =
            r#"module.net["eu.west"].module.a[3].data.aws_subnet.b["x\"]"]"#
                .parse()
                .unwrap();
        assert_eq!(address.module.len(), 2);
        assert_eq!(
            address.module[0].key,
            Some(InstanceKey::Key("eu.west".into()))
        );
        assert_eq!(address.mode, Mode::Data);
        assert_eq!(address.resource_type, "aws_subnet");
        assert_eq!(address.key, Some(InstanceKey::Key("x\"]".into())));
        assert_eq!(
            address.module_path(),
            r#"module.net["eu.west"].module.a[3]"#
        );
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "", "a", "a.", ".a", "a.b[", "a.b[]", "a.b[x]", "a.b.c", "module.a", "a.b[0] ",
        ] {
            assert!(text.parse::<ResourceAddress>().is_err(), "{text:?}");
        }
        assert!(parse_module_path("module.a[0].module.b").is_ok());
        assert!(parse_module_path("").is_ok());
        assert!(parse_module_path("a.b").is_err());
    }

    fn key() -> impl Strategy<Value = Option<InstanceKey>> {
        prop_oneof![
            Just(None),
            any::<u64>().prop_map(|n| Some(InstanceKey::Index(n))),
            "\\PC{0,12}".prop_map(|k| Some(InstanceKey::Key(k))),
        ]
    }

    proptest! {
        #[test]
        fn printed_addresses_are_read_back(
            modules in prop::collection::vec(("[a-z][a-z0-9_-]{0,8}", key()), 0..4),
            data in any::<bool>(),
            resource_type in "[a-z][a-z0-9]{0,8}_[a-z]{1,5}",
            name in "[a-z_][a-z0-9_-]{0,8}",
            key in key(),
        ) {
            let address = ResourceAddress {
                module: modules.into_iter().map(|(name, key)| ModuleStep { name, key }).collect(),
                mode: if data { Mode::Data } else { Mode::Managed },
                resource_type,
                name,
                key,
            };
            prop_assert_eq!(address.to_string().parse::<ResourceAddress>().unwrap(), address);
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,60}") {
            let _ = text.parse::<ResourceAddress>();
        }
    }
}
