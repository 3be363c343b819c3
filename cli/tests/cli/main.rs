//! `sluice` as a pipeline runs it: files in, text and exit code out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what a test cannot prepare fails the test"
)]

mod admission;
mod adopting;
mod any_bytes;
mod check;
mod exceptions;
mod folder;
mod forms;
mod guide;
mod policies;
mod schema;
mod shipped_sets;
