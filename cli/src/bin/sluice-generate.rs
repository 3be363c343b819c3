//! Writes every generated file of the repository, or with `--check` says which ones differ from their source.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

/// Writes the files that are generated from code: definitions, access rights, the install file and the reference pages.
#[derive(Parser)]
struct Arguments {
    /// Write nothing; name the files that differ and fail.
    #[arg(long)]
    check: bool,
    /// The root of the checkout.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    root: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let differing = sluice_cli::generate::differing(&arguments.root)?;
    for file in &differing {
        if !arguments.check {
            sluice_cli::generate::write(&arguments.root, file)?;
        }
        println!(
            "{} {}",
            if arguments.check { "differs:" } else { "wrote" },
            file.path
        );
    }
    if arguments.check && !differing.is_empty() {
        println!("run `cargo run -p sluice-cli --bin sluice-generate` and commit the result");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
