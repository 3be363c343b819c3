//! `sluice-webhook`: flags, then [`sluice_webhook::run`].

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
