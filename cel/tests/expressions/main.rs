//! The language: what expressions mean, and what hostile ones come to.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail where it stands"
)]

mod hostile;
mod table;
