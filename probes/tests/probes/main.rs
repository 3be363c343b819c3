//! The engine and its kinds of checks against real servers.

#![allow(dead_code, reason = "every test file uses its own part")]

mod common;
mod engine;
mod http;
mod prometheus;
