//! `make demo`: plays the story of Sluice on a real control plane and ends with exit 1 when a step does not go as told.

use std::{path::Path, process::ExitCode};

use clap::Parser;

/// The story of Sluice on a real control plane.
#[derive(Parser)]
struct Arguments {
    /// Leave everything running at the end, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
    tokio::select! {
        outcome = sluice_e2e::demo::play(&manifests, arguments.keep) => match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
        // with --keep the story itself waits for it; in the middle of a step this ends everything
        _ = tokio::signal::ctrl_c(), if !arguments.keep => {
            eprintln!("interrupted");
            ExitCode::from(130)
        }
    }
}
