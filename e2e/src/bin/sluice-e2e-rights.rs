//! Holds what Sluice's programs did in the tests, by the audit logs kept in a folder, against what they are granted.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use sluice_e2e::rights;

/// Rights that no test used and nobody gave a reason for, and requests that nothing grants, fail it.
#[derive(Parser)]
struct Arguments {
    /// The folder that `SLUICE_AUDIT_LOGS` named while the tests ran.
    folder: PathBuf,
    /// Print every right with how often it was used.
    #[arg(long)]
    all: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let found = rights::compare(&arguments.folder)?;
    if arguments.all {
        for (right, count) in &found.used {
            println!("{count:>8}  {right}");
        }
    }
    for (what, example) in &found.beyond {
        println!("done and not granted: {what}, such as {example}");
    }
    for right in &found.idle {
        println!("granted and never used: {right}");
    }
    println!(
        "{} requests, {} rights used, {} granted and never used, {} done and not granted",
        found.requests,
        found.used.len(),
        found.idle.len(),
        found.beyond.len()
    );
    let right = found.requests > 0 && found.beyond.is_empty() && found.idle.is_empty();
    Ok(if right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
