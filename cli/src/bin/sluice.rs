//! `sluice`, the command line of Sluice.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice_cli::main()
}
