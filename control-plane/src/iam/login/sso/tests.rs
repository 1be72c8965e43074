//! Signing in through a provider, on both databases: one whose every answer the test gives, for the
//! attacks, and a real one.

mod attacks;
mod enforcement;
mod fake;
mod real;
mod tenants;
