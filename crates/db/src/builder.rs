//! Statements whose text depends on which filters are set.

use std::fmt::Write;

use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::param::Param;
use crate::query::Query;

/// Builds a statement from literals and values.
///
/// Text is always a literal of the source code, so a value can only get in by being bound.
#[must_use = "call `finish` and run the query"]
pub struct Builder<'c> {
    sql: String,
    query: Query<'c>,
}

impl<'c> Builder<'c> {
    pub(crate) fn new(sql: &'static str, query: Query<'c>) -> Self {
        Self {
            sql: sql.to_owned(),
            query,
        }
    }

    pub fn push(mut self, literal: &'static str) -> Self {
        self.sql.push_str(literal);
        self
    }

    pub fn bind<'q>(mut self, value: impl Param<'q>) -> Self {
        let number = self.query.push(value);
        write!(self.sql, "${number}").expect("writing to a String succeeds");
        self
    }

    /// `literal` followed by the value, if there is one.
    pub fn push_if<'q>(self, literal: &'static str, value: Option<impl Param<'q>>) -> Self {
        match value {
            Some(value) => self.push(literal).bind(value),
            None => self,
        }
    }

    /// `literal`, which opens a parenthesis, then the values and `)`; nothing if there are none, so
    /// that an empty filter filters nothing.
    pub fn push_in<'q>(
        mut self,
        literal: &'static str,
        values: impl IntoIterator<Item = impl Param<'q>>,
    ) -> Self {
        let mut any = false;
        for value in values {
            self = self.push(if any { ", " } else { literal }).bind(value);
            any = true;
        }
        if any { self.push(")") } else { self }
    }

    pub fn finish(self) -> Query<'c> {
        self.query.with_text(AssertSqlSafe(self.sql).into_sql_str())
    }
}
