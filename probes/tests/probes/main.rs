//! The engine and its kinds of checks against real servers.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its own helpers too"
)]

mod common;
mod engine;
mod http;
mod prometheus;
