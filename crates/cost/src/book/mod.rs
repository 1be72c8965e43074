//! The price book: what one unit of something costs in a region.
//!
//! A book is data, versioned by its content, embedded in the binary and replaceable by a file. Rows are kept in
//! **blocks**, one per meter and region, and a block is parsed when it is first asked for: an estimate touches
//! a handful of meters out of hundreds. A database file was decided against: the crate does no I/O.

mod block;
mod pack;
mod row;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rust_decimal::Decimal;

use block::Block;
pub use pack::{pack, unpack};
pub(crate) use row::normalise;
pub use row::{BookError, Confidence, Row};
pub use table::{parse_csv, write_csv};

/// The rows derived from reference estimates rather than from a price list. Any other source is preferred.
pub const DERIVED_SOURCE: &str = "G";

static EMBEDDED: &[u8] = include_bytes!("../../pricebook/book.zst");

/// All rows of the book that comes with the binary, without the ids that select nothing.
///
/// # Errors
/// Only if the embedded file was damaged at build time.
pub fn embedded_rows() -> Result<Vec<Row>, BookError> {
    unpack(EMBEDDED)
}

/// Prices by meter and region.
#[derive(Debug)]
pub struct Book {
    text: String,
    blocks: BTreeMap<(String, String), Slot>,
    without: Option<String>,
    /// Asked when this one has no price.
    beneath: Option<Arc<Book>>,
    digest: String,
}

#[derive(Debug)]
struct Slot {
    range: std::ops::Range<usize>,
    parsed: OnceLock<Block>,
}

/// The price of one unit, by tiers: each from a quantity on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// `(from, price per unit)`, ascending, the first from zero.
    pub tiers: Vec<(Decimal, Decimal)>,
    /// Ids of the sources, as in `sources.csv`.
    pub source: String,
}

/// Why a price could not be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPrice {
    /// The region of the resource is not known.
    RegionUnknown,
    /// The book has no row for it.
    Missing(String),
    /// The book has several, which differ.
    Ambiguous(String),
}

impl Book {
    /// The book that comes with the binary.
    ///
    /// # Errors
    /// Only if the embedded file was damaged at build time.
    pub fn embedded() -> Result<Self, BookError> {
        Self::from_bytes(EMBEDDED)
    }

    /// A book in its compact form, as [`pack`] writes it.
    ///
    /// # Errors
    /// What is not a book, or is larger than a book can be.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BookError> {
        let (text, digest) = pack::open(bytes)?;
        let mut blocks = BTreeMap::new();
        for (key, region, range) in pack::headers(&text)? {
            let slot = Slot {
                range,
                parsed: OnceLock::new(),
            };
            blocks.insert((key.to_owned(), region.to_owned()), slot);
        }
        Ok(Self {
            text,
            blocks,
            without: None,
            beneath: None,
            digest,
        })
    }

    /// A book of a few rows that count before those of another one. The other book is shared, not copied.
    ///
    /// # Errors
    /// If the rows can't be packed.
    pub fn over(rows: &[Row], beneath: Arc<Self>) -> Result<Self, BookError> {
        let mut book = Self::from_bytes(&pack(rows)?)?;
        book.digest = format!("{}+{}", beneath.digest, book.digest);
        book.beneath = Some(beneath);
        Ok(book)
    }

    /// The same book as if it had no rows of a source.
    #[must_use]
    pub fn without_source(mut self, source: &str) -> Self {
        self.without = Some(source.to_owned());
        for slot in self.blocks.values_mut() {
            slot.parsed = OnceLock::new();
        }
        self
    }

    /// Identifies the content; a prior and a proposed cost are compared on the same one.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The price of `key` in `region` (or worldwide) whose attributes are exactly `attributes`.
    ///
    /// # Errors
    /// [`NoPrice`] when there is none, or more than one.
    pub fn meter(
        &self,
        key: &str,
        region: Option<&str>,
        attributes: &[(String, String)],
    ) -> Result<Price, NoPrice> {
        let wanted = row::normalise(attributes);
        self.look_up(
            key,
            region,
            |block| block.exactly(&wanted),
            || format!("{key} {wanted}"),
        )
    }

    /// The price of a component of a resource type, for meters that are only known from reference estimates:
    /// `unit` tells components of one name apart, and `matches` says whether a discriminating attribute of the row holds for the resource.
    ///
    /// # Errors
    /// [`NoPrice`] when there is none, or more than one.
    pub fn component(
        &self,
        resource_type: &str,
        region: Option<&str>,
        component: &str,
        path: &str,
        unit: &str,
        matches: &dyn Fn(&str, &str) -> bool,
    ) -> Result<Price, NoPrice> {
        let key = format!("tf:{resource_type}");
        self.look_up(
            &key,
            region,
            |block| block.component(component, path, unit, matches),
            || format!("{resource_type} {component}"),
        )
    }

    fn look_up(
        &self,
        key: &str,
        region: Option<&str>,
        find: impl Fn(&Block) -> Result<Option<Price>, String>,
        what: impl Fn() -> String,
    ) -> Result<Price, NoPrice> {
        let own = self.look_up_here(key, region, &find, &what);
        match (own, &self.beneath) {
            (Err(NoPrice::Missing(_) | NoPrice::RegionUnknown), Some(beneath)) => {
                beneath.look_up_here(key, region, &find, &what)
            }
            (own, _) => own,
        }
    }

    fn look_up_here(
        &self,
        key: &str,
        region: Option<&str>,
        find: &impl Fn(&Block) -> Result<Option<Price>, String>,
        what: &impl Fn() -> String,
    ) -> Result<Price, NoPrice> {
        for place in region.into_iter().chain(["global"]) {
            let Some(block) = self.block(key, place) else {
                continue;
            };
            match find(block) {
                Ok(Some(price)) => return Ok(price),
                Ok(None) => {}
                Err(detail) => return Err(NoPrice::Ambiguous(detail)),
            }
        }
        if region.is_none() {
            return Err(NoPrice::RegionUnknown);
        }
        let place = region.unwrap_or("global");
        Err(NoPrice::Missing(format!("{} in {place}", what())))
    }

    fn block(&self, key: &str, region: &str) -> Option<&Block> {
        let slot = self.blocks.get(&(key.to_owned(), region.to_owned()))?;
        let text = self.text.get(slot.range.clone())?;
        Some(
            slot.parsed
                .get_or_init(|| Block::parse(text, self.without.as_deref())),
        )
    }
}
