//! The parts of the runtime against real sockets, real signals and an API server in memory.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its own helpers too"
)]

mod admin;
mod heartbeat;
mod http_client;
mod lease;
mod lease_api;
mod rotation;
mod serve;
mod signals;
