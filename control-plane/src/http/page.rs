//! Paging: `page[number]` from 1, `page[size]` 20 unless told, 100 at most.

use serde::Serialize;
use utoipa::ToSchema;

use super::error::ApiError;
use super::query::Query;
use crate::problem::Kind;

const DEFAULT_SIZE: i64 = 20;
const MAX_SIZE: i64 = 100;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub number: i64,
    pub size: i64,
}

impl Page {
    /// # Errors
    /// 400 when a value is no positive number.
    pub fn from_query(query: &Query) -> Result<Self, ApiError> {
        Self::bounded(query, DEFAULT_SIZE, MAX_SIZE)
    }

    /// As [`Page::from_query`], with other sizes: unless told, and at most.
    ///
    /// # Errors
    /// 400 when a value is no positive number.
    pub fn bounded(query: &Query, usual: i64, most: i64) -> Result<Self, ApiError> {
        Ok(Self {
            number: positive(query, "page[number]")?.unwrap_or(1),
            size: positive(query, "page[size]")?.unwrap_or(usual).min(most),
        })
    }

    pub fn limit(self) -> i64 {
        self.size
    }

    pub fn offset(self) -> i64 {
        self.number.saturating_sub(1).saturating_mul(self.size)
    }
}

fn positive(query: &Query, key: &'static str) -> Result<Option<i64>, ApiError> {
    let Some(text) = query.get(key) else {
        return Ok(None);
    };
    match text.parse::<i64>() {
        Ok(0) => Ok(None),
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => Err(ApiError::new(
            Kind::Malformed,
            "request.bad-parameter",
            format!("`{key}` must be a positive number, not {text:?}"),
        )),
    }
}

/// A part of a list and the size of the whole.
#[derive(Debug)]
pub struct Paged<T> {
    pub items: Vec<T>,
    pub total: i64,
}

/// Where a page stands in its list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Pagination {
    pub current_page: i64,
    pub page_size: i64,
    pub prev_page: Option<i64>,
    pub next_page: Option<i64>,
    pub total_pages: i64,
    pub total_count: i64,
}

impl Pagination {
    pub fn new(page: Page, total: i64) -> Self {
        let total_pages = ((total + page.size - 1) / page.size).max(1);
        Self {
            current_page: page.number,
            page_size: page.size,
            prev_page: (page.number > 1).then(|| page.number - 1),
            next_page: (page.number < total_pages).then(|| page.number + 1),
            total_pages,
            total_count: total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_no_next() {
        let last = Pagination::new(
            Page {
                number: 3,
                size: 20,
            },
            41,
        );
        assert_eq!(
            (last.total_pages, last.next_page, last.prev_page),
            (3, None, Some(2))
        );
    }

    #[test]
    fn an_empty_list_is_one_page() {
        assert_eq!(
            Pagination::new(
                Page {
                    number: 1,
                    size: 20
                },
                0
            )
            .total_pages,
            1
        );
    }

    #[test]
    fn junk_is_named() {
        let error = Page::from_query(&Query::parse("page[size]=-3")).unwrap_err();
        assert!(error.detail.contains("page[size]"), "{}", error.detail);
    }
}
