//! The same program as `sluice`, found by kubectl as `kubectl sluice`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice_cli::main()
}
