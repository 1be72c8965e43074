//! Steps as containers.
