//! Headers that describe the entry after them: long names of GNU tar, records of pax.

use std::collections::BTreeMap;
use std::io::{self, Read};

use tar::EntryType;

use super::unpack::UnpackError;

/// The longest extension header, in bytes.
const LONGEST: u64 = 1 << 20;

/// What extension headers say about the next entry.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Extensions {
    /// Takes an extension header in; whether this was one.
    ///
    /// # Errors
    /// When it is too long, broken, or says what would be read differently elsewhere.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only extension headers are meant here"
    )]
    pub(super) fn take_in<R: Read>(
        &mut self,
        kind: EntryType,
        entry: &mut tar::Entry<'_, R>,
    ) -> Result<bool, UnpackError> {
        match kind {
            EntryType::GNULongName => {
                self.name = Some(without_zeros(bounded(entry)?));
            }
            EntryType::GNULongLink => {
                self.link = Some(without_zeros(bounded(entry)?));
            }
            EntryType::XHeader => {
                let mut records = pax_records(&bounded(entry)?)
                    .ok_or_else(|| UnpackError::Damaged(io::ErrorKind::InvalidData.into()))?;
                if let Some(path) = records.remove(b"path".as_slice()) {
                    self.name = Some(path);
                }
                if let Some(link) = records.remove(b"linkpath".as_slice()) {
                    self.link = Some(link);
                }
                if records.contains_key(b"size".as_slice()) {
                    // Needed beyond 8 GiB only.
                    return Err(UnpackError::TooLarge {
                        what: "single files",
                        limit: 8 << 30,
                    });
                }
            }
            EntryType::XGlobalHeader => {
                bounded(entry)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Name and link target of an entry, with what came before it.
    pub(super) fn names_of<R: Read>(
        &mut self,
        entry: &tar::Entry<'_, R>,
    ) -> (Vec<u8>, Option<Vec<u8>>) {
        let name = self.name.take();
        let link = self.link.take();
        (
            name.unwrap_or_else(|| entry.path_bytes().into_owned()),
            link.or_else(|| entry.link_name_bytes().map(Into::into)),
        )
    }
}

fn bounded<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, UnpackError> {
    if entry.size() > LONGEST {
        return Err(UnpackError::TooLarge {
            what: "its headers",
            limit: LONGEST,
        });
    }
    let mut content = Vec::new();
    entry
        .read_to_end(&mut content)
        .map_err(UnpackError::Damaged)?;
    Ok(content)
}

fn without_zeros(mut content: Vec<u8>) -> Vec<u8> {
    if let Some(end) = content.iter().position(|byte| *byte == 0) {
        content.truncate(end);
    }
    content
}

/// `LENGTH KEY=VALUE\n` records; `None` if one is broken.
fn pax_records(mut content: &[u8]) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut records = BTreeMap::new();
    while !content.is_empty() {
        let (key, value, rest) = pax_record(content)?;
        records.insert(key.to_vec(), value.to_vec());
        content = rest;
    }
    Some(records)
}

fn pax_record(content: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = content.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&content[..space]).ok()?.parse().ok()?;
    let record = content.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &content[length..]))
}
