//! Turns the price lists of the clouds into rows, and merges them into a book.
//!
//! Three public lists are read: AWS bulk offers (CSV, hundreds of MB: streamed), the answers of the Azure Retail Prices
//! API (JSON, page by page), and those of Google's Cloud Billing Catalog with a table of machine types. A list is
//! either understood or refused as a whole; a book is never changed in place.

mod aws;
mod azure;
mod google;
mod merge;

pub use aws::aws_offer;
pub use azure::azure_retail;
pub use google::google_catalog;
pub use merge::{Merged, merge};

/// Why a list was refused.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not in the published form.
    #[error("the {list} is not in its published form: {reason}")]
    Form {
        /// Which list.
        list: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Two prices for one thing.
    #[error("{what} has two prices in the list: {one} and {other}")]
    Ambiguous {
        /// The meter and its attributes.
        what: String,
        /// One price.
        one: String,
        /// The other.
        other: String,
    },
    /// The list has nothing that is known.
    #[error("the {list} has no price of anything that is known; nothing is changed")]
    Empty {
        /// Which list.
        list: &'static str,
    },
    /// Something that a price is composed of is missing.
    #[error("the list has no price of {0}, which another one is composed of")]
    Missing(String),
    /// Prices moved more than threefold.
    #[error(
        "{count} prices moved more than threefold, such as {example}; look at them, then import with --allow-jumps"
    )]
    Jump {
        /// How many.
        count: usize,
        /// One of them.
        example: String,
    },
    /// A currency other than USD.
    #[error("prices are in {0}; the book is in USD")]
    Currency(String),
}
