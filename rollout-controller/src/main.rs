//! `sluice-controller`: flags, then [`sluice_rollout_controller::run`].

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match sluice_rollout_controller::run(sluice_rollout_controller::Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sluice-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}
