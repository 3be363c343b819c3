//! `sluice-webhook`: flags, then [`sluice_webhook::run`].
//!
//! The system's allocator on purpose: with 1,000 Deployments known it held 7 MB where mimalloc held 35 MB.

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    match sluice_webhook::run(sluice_webhook::Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sluice-webhook: {error:#}");
            ExitCode::FAILURE
        }
    }
}
