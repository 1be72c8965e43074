//! The compact form of a book: one zstd frame over text in blocks, sorted, so that the same rows give the same
//! bytes.
//!
//! ```text
//! terrane-pricebook 1
//! @ BLOCK <tab> REGION <tab> PROVIDER <tab> SERVICE
//! ATTRIBUTES <tab> UNIT <tab> FROM <tab> PRICE <tab> SOURCE <tab> CONFIDENCE <tab> DATE
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::row::{self, BookError, Confidence, Row};

const MAGIC: &str = "terrane-pricebook 1\n";

/// No honest book is larger, decompressed.
const LARGEST: u64 = 512 * 1024 * 1024;

/// Writes rows in the compact form. Bookkeeping attributes that select no price are left out; the table that
/// the rows came from keeps them.
///
/// # Errors
/// If compression fails.
pub fn pack(rows: &[Row]) -> Result<Vec<u8>, BookError> {
    let mut blocks: BTreeMap<(String, &str, &str, &str), Vec<String>> = BTreeMap::new();
    for row in rows {
        let place = (
            row.block(),
            row.region.as_str(),
            row.provider.as_str(),
            row.service.as_str(),
        );
        let attributes: Vec<String> = row
            .selecting()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let clean = |text: &str| text.replace(['\t', '\n', '\r'], " ");
        let line = format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}",
            clean(&attributes.join(";")),
            clean(&row.unit),
            row.start.normalize(),
            row.price.normalize(),
            row.source,
            row.confidence.letter(),
            row.date,
        );
        blocks.entry(place).or_default().push(line);
    }
    let mut text = MAGIC.to_owned();
    for ((key, region, provider, service), mut lines) in blocks {
        lines.sort();
        lines.dedup();
        let _ = writeln!(text, "@{key}\t{region}\t{provider}\t{service}");
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
    }
    zstd::encode_all(text.as_bytes(), 19).map_err(BookError::Compression)
}

/// All rows of a compact book, for comparing and merging.
///
/// # Errors
/// What is not a book.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Row>, BookError> {
    let (text, _) = open(bytes)?;
    let mut rows = Vec::new();
    for (key, region, range) in headers(&text)? {
        let head = text[..range.start]
            .trim_end()
            .rsplit('\n')
            .next()
            .unwrap_or_default();
        let mut names = head.split('\t').skip(2);
        let provider = names.next().unwrap_or_default();
        let service = names.next().unwrap_or_default();
        let key = match key {
            _ if key.starts_with("tf:") => "golden",
            _ if key.starts_with("raw:") => "",
            _ => key,
        };
        for line in text[range].lines() {
            let fields = Fields::of(line).ok_or(BookError::Format("a line has too few fields"))?;
            rows.push(Row {
                provider: provider.to_owned(),
                service: service.to_owned(),
                region: region.to_owned(),
                key: key.to_owned(),
                attributes: row::attributes(fields.attributes),
                unit: fields.unit.to_owned(),
                start: fields.start,
                price: fields.price,
                date: fields.date.to_owned(),
                source: fields.source.to_owned(),
                confidence: fields.confidence,
            });
        }
    }
    Ok(rows)
}

/// One line of a block, split.
pub(super) struct Fields<'a> {
    pub(super) attributes: &'a str,
    pub(super) unit: &'a str,
    pub(super) start: rust_decimal::Decimal,
    pub(super) price: rust_decimal::Decimal,
    pub(super) source: &'a str,
    pub(super) confidence: Confidence,
    pub(super) date: &'a str,
}

impl<'a> Fields<'a> {
    pub(super) fn of(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        Some(Self {
            attributes: fields.next()?,
            unit: fields.next()?,
            start: crate::money::parse(fields.next()?)?,
            price: crate::money::parse(fields.next()?)?,
            source: fields.next()?,
            confidence: Confidence::from_letter(fields.next()?)?,
            date: fields.next()?,
        })
    }
}

/// Decompresses a book; also gives a digest of its content.
pub(super) fn open(bytes: &[u8]) -> Result<(String, String), BookError> {
    let decoder = zstd::Decoder::new(bytes).map_err(BookError::Compression)?;
    let mut text = String::new();
    decoder
        .take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(BookError::Compression)?;
    if text.len() as u64 > LARGEST {
        return Err(BookError::Format("it is too large"));
    }
    if !text.starts_with(MAGIC) {
        return Err(BookError::Format("it doesn't start as one"));
    }
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    Ok((text, digest))
}

/// Block, region, and the range of its lines.
type Header<'a> = (&'a str, &'a str, Range<usize>);

/// The head of each block.
pub(super) fn headers(text: &str) -> Result<Vec<Header<'_>>, BookError> {
    let mut found: Vec<Header<'_>> = Vec::new();
    let mut at = MAGIC.len();
    let mut starts = Vec::new();
    while let Some(offset) = text.get(at..).and_then(|rest| {
        if rest.starts_with('@') {
            Some(0)
        } else {
            rest.find("\n@").map(|offset| offset + 1)
        }
    }) {
        starts.push(at + offset);
        at += offset + 1;
    }
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(text.len());
        let block = &text[*start..end];
        let Some((head, _)) = block.split_once('\n') else {
            return Err(BookError::Format("a block has no end"));
        };
        let mut names = head[1..].split('\t');
        let (Some(key), Some(region)) = (names.next(), names.next()) else {
            return Err(BookError::Format("a block has no name"));
        };
        found.push((key, region, start + head.len() + 1..end));
    }
    Ok(found)
}
