//! The command line of Sluice: `sluice`, also as `kubectl sluice`.
//!
//! Decides: what is read from files and from the cluster, how it is shown, and the exit code. Leaves every judgement to the crates that the webhook and the
//! controller use too, so the answer offline is the answer in the cluster.

mod age;
mod arguments;
pub mod audit;
pub mod check;
pub mod cluster;
mod completion;
pub mod console;
pub mod doctor;
pub mod gate;
pub mod generate;
pub mod installation;
pub mod manifest;
pub mod outcome;
pub mod output;
pub mod own;
pub mod policy;
pub mod refusals;
pub mod release;
pub mod rules;
pub mod workload;

use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

use arguments::{Arguments, Command};
use outcome::Outcome;
use output::Output;

/// The program: parses the command line, runs the command, says what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime to be had: {error}");
            return Outcome::CannotTell.into();
        }
    };
    match runtime.block_on(run(arguments)) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("error: {}", console::chain(&error));
            Outcome::CannotTell.into()
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let connection = arguments.connection();
    match arguments.command {
        Command::Check(check) => check::run(check, &connection).await,
        Command::Gate(gates) => gate::run(gates, &connection).await,
        Command::Release(releases) => release::run(releases, &connection).await,
        Command::Install(install) => installation::install::run(install, &connection).await,
        Command::Doctor(doctor) => doctor::run(doctor, &connection).await,
        Command::Uninstall(uninstall) => installation::uninstall::run(uninstall, &connection).await,
        Command::Audit(audit) => audit::run(audit, &connection).await,
        Command::Rules(arguments) => rules::list(&arguments),
        Command::Explain(arguments) => rules::explain(&arguments),
        Command::Policy(policies) => policy::run(policies, &connection).await,
        Command::Completion(wanted) => completion::run(&wanted),
        Command::Version(output) => version(output),
    }
}

/// What this program is; `digest` lets a pipeline ask whether it judges by the set that it expects.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: &'static str,
    api_version: String,
    default_policy_set: String,
}

fn version(output: Output) -> anyhow::Result<Outcome> {
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        api_version: format!("{}/{}", sluice_api::GROUP, sluice_api::VERSION),
        default_policy_set: check::policies::load(&[]).set.digest().to_owned(),
    };
    let text = || {
        let set = version.default_policy_set.get(..12).unwrap_or_default();
        format!(
            "sluice {} ({}, default policy set {set})\n",
            version.version, version.api_version
        )
    };
    console::print(&output.output.show(&version, text)?)?;
    Ok(Outcome::Yes)
}
