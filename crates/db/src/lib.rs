//! One connection type over SQLite and PostgreSQL.
//!
//! Stores write SQL once, in the dialect that both databases share (`$1` placeholders,
//! `ON CONFLICT`, `RETURNING`, `->>`), and never name a driver. The few statements that can't be
//! shared ask [`Conn::dialect`]. It works because sqlx implements its encoding and decoding for
//! both drivers on the same Rust types: [`Param`] and [`Record`] name exactly that.
//!
//! Decided against: `sqlx::Any` (fails on timestamps and JSON), a query builder or an ORM (hides
//! the SQL), a trait with two implementations (everything twice).
//!
//! What a store has to know:
//! - [`Db::acquire`] is for reading (SQLite refuses a write there), [`Db::begin`] for everything
//!   that writes. SQLite has one writer: don't begin a second transaction while holding one.
//! - After a failed statement PostgreSQL refuses the rest of the transaction; SQLite goes on. So
//!   an error ends the transaction: use `ON CONFLICT DO NOTHING` where a conflict is expected.
//! - Timestamps are bound, never written by SQL: SQLite keeps them as text in one exact form.
//! - `bigint`, `text`, `boolean`, `timestamptz`, `jsonb`, `bytea` are the shared column types.
//!   JSON columns hold objects or arrays: a bare number in JSON comes back from SQLite as a number.
//! - Name the columns instead of `SELECT *`: PostgreSQL fails a cached `*` plan after a migration
//!   by a newer replica.
//! - Types that derive `sqlx::FromRow` need `sqlx` (feature `derive`) in their own manifest.

mod builder;
mod clock;
mod conn;
mod database;
mod dialect;
mod error;
mod migrate;
mod param;
mod postgres;
mod query;
mod rows;
mod settings;
mod sqlite;
mod tables;
mod tx;
mod violation;
mod wake;

pub use builder::Builder;
pub use conn::Conn;
pub use database::Db;
pub use dialect::Dialect;
pub use error::{Error, Result};
pub use migrate::Migrator;
pub use param::{Param, Record};
pub use query::Query;
pub use rows::Row;
pub use settings::Settings;
pub use sqlx::types::Json;
pub use tables::{Column, ColumnKind, Table};
pub use tx::Tx;
pub use violation::Violation;
pub use wake::Listener;

#[doc(hidden)]
pub use sqlx as __sqlx;
