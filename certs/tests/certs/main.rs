//! Certificates on disk and in a Secret, from issue to rotation.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its own helpers too"
)]

mod reload;
mod rotation;
mod store;
