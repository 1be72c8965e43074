//! A row of the book, as its CSV form has it.

use rust_decimal::Decimal;

/// What is wrong with a book.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// Not a book in compact form.
    #[error("this is not a price book: {0}")]
    Format(&'static str),
    /// It can't be (de)compressed.
    #[error("the price book can't be read")]
    Compression(#[source] std::io::Error),
    /// A line of a table can't be understood.
    #[error("line {line} of the price table: {reason}")]
    Line {
        /// Counted from one.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

/// How far a price can be relied on: `A` direct and recent, `B` direct but old or cross-checked, `C` partly checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Direct from the cloud's list, and recent.
    A,
    /// Direct but old, or cross-checked.
    B,
    /// Partly checked.
    C,
}

impl Confidence {
    /// Its letter.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::A => 'A',
            Self::B => 'B',
            Self::C => 'C',
        }
    }

    pub(crate) fn from_letter(text: &str) -> Option<Self> {
        match text {
            "A" => Some(Self::A),
            "B" | "B/C" => Some(Self::B),
            "C" => Some(Self::C),
            _ => None,
        }
    }
}

/// One price: of ONE unit of something, from a quantity on, in a region. USD, list price, on demand, no free
/// tier deducted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `aws`, `azure`, `gcp`.
    pub provider: String,
    /// The cloud's name of the service; `tf:TYPE` for rows derived from a reference estimate.
    pub service: String,
    /// `global` where the service has none.
    pub region: String,
    /// Name of the meter, such as `ec2.instance`; empty for a raw meter described by its attributes; `golden`
    /// for rows derived from a reference estimate.
    pub key: String,
    /// Attributes in the order of the table.
    pub attributes: Vec<(String, String)>,
    /// What `price` is the price of.
    pub unit: String,
    /// The tier starts here.
    pub start: Decimal,
    /// USD per unit.
    pub price: Decimal,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// Id in `sources.csv`.
    pub source: String,
    /// How far it can be relied on.
    pub confidence: Confidence,
}

impl Row {
    /// The block that the row belongs to: the meter's name, `raw:SERVICE`, or `tf:TYPE`.
    #[must_use]
    pub fn block(&self) -> String {
        match self.key.as_str() {
            "golden" => self.service.clone(),
            "" => format!("raw:{}", self.service),
            key => key.to_owned(),
        }
    }

    /// The attributes by which it is looked up: bookkeeping such as the cloud's SKU id doesn't select a price.
    pub(crate) fn selecting(&self) -> Vec<(String, String)> {
        // Azure's `sku` selects; Amazon's is an id.
        let own_id = self.provider == "aws" && self.key != "golden";
        let bookkeeping = |name: &str| match name {
            "sku" => own_id,
            _ => matches!(name, "case" | "sustained_use_discount"),
        };
        self.attributes
            .iter()
            .filter(|(name, _)| !bookkeeping(name))
            .cloned()
            .collect()
    }
}

/// Attributes as one comparable text: sorted, lower case.
pub(crate) fn normalise(attributes: &[(String, String)]) -> String {
    let mut pairs: Vec<String> = attributes
        .iter()
        .map(|(name, value)| format!("{name}={}", value.to_lowercase()))
        .collect();
    pairs.sort();
    pairs.join(";")
}

/// Reads `k=v;k=v`. A `;` inside a value belongs to it when no `k=` follows.
pub(crate) fn attributes(text: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in text.split(';') {
        match part.split_once('=') {
            Some((name, value)) => pairs.push((name.to_owned(), value.to_owned())),
            None => {
                if let Some(last) = pairs.last_mut() {
                    last.1.push(';');
                    last.1.push_str(part);
                }
            }
        }
    }
    pairs
}
