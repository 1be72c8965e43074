//! Tests of the whole: every route against every kind of caller, and the documents that are made
//! from the code.
//!
//! `UPDATE_DOCS=1 cargo test -p control-plane tests::` writes anew what can be generated.

mod bodies;
mod documents;
mod error_pages;
mod matrix;
mod openapi;
mod run_table;
mod scene;
