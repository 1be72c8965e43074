//! Pools, join tokens and runners: through the API, and over a real gateway.

mod gateway;
mod plane;
mod revoked;
mod routes;
