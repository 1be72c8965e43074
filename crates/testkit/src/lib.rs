//! Means for tests.
