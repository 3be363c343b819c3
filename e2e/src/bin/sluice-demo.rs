//! `make demo`: plays the story of Sluice and ends with exit 1 when a step does not go as told.

use std::{path::Path, process::ExitCode};

use clap::Parser;
use sluice_e2e::demo::ground::Place;

/// The story of Sluice on a real cluster, or on a real control plane with fake nodes.
#[derive(Parser)]
struct Arguments {
    /// Where; `make demo` finds out what this machine can run.
    #[arg(long, value_enum, default_value_t = Place::Plane)]
    on: Place,
    /// Leave everything running at the end, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
    tokio::select! {
        outcome = sluice_e2e::demo::play(arguments.on, &manifests, arguments.keep) => match outcome {
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
