//! The types that settings have, and how each is read.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use domain::Secret;
use figment::value::Value;
pub use url::Url;

use super::reader::Reader;
use super::setting::{Setting, Shape};

/// Where blobs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobKind {
    Directory,
    S3,
}

impl FromStr for BlobKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "directory" => Ok(Self::Directory),
            "s3" => Ok(Self::S3),
            _ => Err("must be directory or s3".to_owned()),
        }
    }
}

/// One address, or all that share a prefix: `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    address: IpAddr,
    bits: u32,
}

impl AddressRange {
    pub fn contains(&self, address: IpAddr) -> bool {
        // A dual-stack socket sees IPv4 peers as ::ffff:a.b.c.d.
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(one)) => {
                let shift = 32 - self.bits;
                range.to_bits().checked_shr(shift) == one.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(range), IpAddr::V6(one)) => {
                let shift = 128 - self.bits;
                range.to_bits().checked_shr(shift) == one.to_bits().checked_shr(shift)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("{text:?} must be an IP address or a range such as 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| problem())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| problem())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            Err(problem())
        } else {
            Ok(Self { address, bits })
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Implements [`Setting`] for types that are read from text, each with what to say when they can't.
macro_rules! from_text {
    ($($type:ty: $shape:ident, $problem:literal;)*) => {
        $(
            impl FromValue for $type {
                const SHAPE: Shape = Shape::$shape;
                fn from_value(value: &Value) -> Result<Self, String> {
                    let text = text(value).ok_or($problem)?;
                    text.parse().map_err(|_| $problem.to_owned())
                }
            }
        )*
    };
}

/// A type that is read from one value.
trait FromValue: Sized {
    const SHAPE: Shape;
    fn from_value(value: &Value) -> Result<Self, String>;
}

from_text! {
    SocketAddr: Text, "must be an IP address and a port, such as 127.0.0.1:8443";
    bool: Flag, "must be true or false";
    u32: Whole, "must be a whole number";
    u64: Whole, "must be a whole number";
    BlobKind: Text, "must be directory or s3";
    telemetry::logs::Format: Text, "must be human or json";
    Url: Text, "must be a URL, such as https://terrane.example.com";
}

impl FromValue for String {
    const SHAPE: Shape = Shape::Text;
    fn from_value(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some("") => Err("must not be empty".to_owned()),
            Some(text) => Ok(text.to_owned()),
            None => Err("must be text".to_owned()),
        }
    }
}

impl FromValue for PathBuf {
    const SHAPE: Shape = Shape::Text;
    fn from_value(value: &Value) -> Result<Self, String> {
        String::from_value(value).map(Self::from)
    }
}

/// Numbers and flags may stand as such in a file; everywhere else they are text.
fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .map(str::to_owned)
        .or_else(|| value.to_bool().map(|it| it.to_string()))
        .or_else(|| value.to_i128().map(|it| it.to_string()))
}

macro_rules! settings {
    ($($type:ty),*) => {
        $(
            impl Setting for $type {
                const SHAPE: Shape = <$type as FromValue>::SHAPE;
                fn read(
                    reader: &mut Reader,
                    path: &str,
                    default: Option<&'static str>,
                ) -> Option<Self> {
                    match (reader.value(path), default) {
                        (Some(value), _) => noted(reader, path, Self::from_value(&value)),
                        (None, Some(text)) => noted(reader, path, Self::from_value(&text.into())),
                        (None, None) => {
                            reader.mistake(path, "must be set");
                            None
                        }
                    }
                }
            }

            impl Setting for Option<$type> {
                const SHAPE: Shape = <$type as FromValue>::SHAPE;
                const REQUIRED: bool = false;
                fn read(
                    reader: &mut Reader,
                    path: &str,
                    _: Option<&'static str>,
                ) -> Option<Self> {
                    match reader.value(path) {
                        Some(value) => noted(reader, path, <$type>::from_value(&value)).map(Some),
                        None => Some(None),
                    }
                }
            }
        )*
    };
}

settings!(
    SocketAddr,
    bool,
    u32,
    u64,
    BlobKind,
    telemetry::logs::Format,
    Url,
    String,
    PathBuf
);

impl Setting for Option<Secret> {
    const SHAPE: Shape = Shape::Secret;
    const REQUIRED: bool = false;
    fn read(reader: &mut Reader, path: &str, _: Option<&'static str>) -> Option<Self> {
        reader.secret(path).ok()
    }
}

impl<T: FromStr> Setting for Vec<T>
where
    T::Err: fmt::Display,
{
    const SHAPE: Shape = Shape::List;
    const REQUIRED: bool = false;
    fn read(reader: &mut Reader, path: &str, _: Option<&'static str>) -> Option<Self> {
        let Some(value) = reader.value(path) else {
            return Some(Self::new());
        };
        let Some(texts) = list(&value) else {
            reader.mistake(path, "must be a list of texts");
            return None;
        };
        let mut items = Self::new();
        let mut whole = true;
        for text in texts {
            match text.parse() {
                Ok(item) => items.push(item),
                Err(error) => {
                    reader.mistake(path, error.to_string());
                    whole = false;
                }
            }
        }
        whole.then_some(items)
    }
}

fn list(value: &Value) -> Option<Vec<String>> {
    if let Some(text) = value.as_str() {
        let items = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        return Some(items.map(str::to_owned).collect());
    }
    value
        .as_array()?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn noted<T>(reader: &mut Reader, path: &str, read: Result<T, String>) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(problem) => {
            reader.mistake(path, problem);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses() {
        let range: AddressRange = "10.0.0.0/8".parse().unwrap();
        assert!(range.contains("10.255.0.1".parse().unwrap()));
        assert!(range.contains("::ffff:10.1.1.1".parse().unwrap()));
        assert!(!range.contains("11.0.0.1".parse().unwrap()));
        assert!(!range.contains("fd00::1".parse().unwrap()));

        let all: AddressRange = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("192.0.2.1".parse().unwrap()));
        let one: AddressRange = "fd00::1".parse().unwrap();
        assert!(one.contains("fd00::1".parse().unwrap()));
        assert!(!one.contains("fd00::2".parse().unwrap()));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "host"] {
            assert!(text.parse::<AddressRange>().is_err(), "{text:?}");
        }
    }
}
