//! The price book of this installation: the one in the program, or a file that replaces it.
//!
//! The program's own is unpacked when it is first needed, once for the process: it takes tens of
//! megabytes, and many processes (commands, tests) never price anything.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ::cost::{Adjustments, Book, BookError, Estimator, EstimatorError, Rules};

use crate::problem::Fault;

static EMBEDDED: OnceLock<Estimator> = OnceLock::new();

/// A price book that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PriceBookError {
    #[error("{} can't be read", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: make it with `terrane pricebook import`", path.display())]
    Book { path: PathBuf, source: BookError },
    #[error("the price book or the rules in this program are damaged")]
    Program(#[from] EstimatorError),
}

/// What estimates are made with unless an account says otherwise.
#[derive(Debug, Clone, Default)]
pub struct PriceBook {
    /// None: the program's own.
    file: Option<Estimator>,
}

impl PriceBook {
    /// # Errors
    /// When the file is not a price book.
    pub fn load(path: &Path) -> Result<Self, PriceBookError> {
        let bytes = std::fs::read(path).map_err(|source| PriceBookError::File {
            path: path.to_owned(),
            source,
        })?;
        let book = Book::from_bytes(&bytes).map_err(|source| PriceBookError::Book {
            path: path.to_owned(),
            source,
        })?;
        let rules = Rules::embedded().map_err(EstimatorError::from)?;
        Ok(Self {
            file: Some(Estimator {
                book: Arc::new(book),
                rules: Arc::new(rules),
                adjustments: Adjustments::default(),
                default_region: None,
            }),
        })
    }

    /// An estimator with list prices. Slow the first time: call it where blocking is allowed.
    pub(super) fn estimator(&self) -> Result<Estimator, Fault> {
        if let Some(estimator) = self.file.as_ref().or_else(|| EMBEDDED.get()) {
            return Ok(estimator.clone());
        }
        let fresh = Estimator::embedded().map_err(|_| Fault::Unreadable {
            what: "the price book of this program",
        })?;
        Ok(EMBEDDED.get_or_init(|| fresh).clone())
    }

    /// Identifies what this process prices with: book and rules. Slow the first time.
    pub(super) fn basis(&self) -> Result<String, Fault> {
        let book = self.estimator()?.book;
        Ok(format!("{}/{}", book.digest(), Rules::embedded_digest()))
    }
}
