//! Writes the table of the built-in kinds' fields from the sources of the k8s-openapi crate, or with `--check` says whether it differs.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use sluice_cli::generate::kubernetes;

/// Writes the fields of the built-in kinds of every Kubernetes version that k8s-openapi knows.
#[derive(Parser)]
struct Arguments {
    /// Write nothing; fail when the table differs.
    #[arg(long)]
    check: bool,
    /// The root of the checkout.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    root: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let table = kubernetes::table(&kubernetes::source_folder(&arguments.root)?)?;
    let path = arguments.root.join(kubernetes::PATH);
    let same = fs::read(&path).is_ok_and(|stored| stored == table);
    if same {
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.check {
        println!("differs: {}", kubernetes::PATH);
        return Ok(ExitCode::FAILURE);
    }
    fs::write(&path, &table).with_context(|| format!("{} cannot be written", path.display()))?;
    println!("wrote {} ({} bytes)", kubernetes::PATH, table.len());
    Ok(ExitCode::SUCCESS)
}
