//! The command line of Sluice: `sluice`, also as `kubectl sluice`.
//!
//! Decides: what is read from files and from the cluster, how it is shown, and the exit code. Leaves every judgement to the crates that the webhook and the
//! controller use too, so the answer offline is the answer in the cluster.

use std::process::ExitCode;

pub mod generate;
pub mod manifest;

/// The program: parses the command line, runs the command, says what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
