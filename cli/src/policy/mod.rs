//! `sluice policy`: policies as code. Tests of them, what a change of them would change, and the name of what they mean. Offline.

mod case;
mod difference;
mod test;

use clap::{Args, Subcommand};

use crate::{check::policies, cluster::Connection, console, manifest::Problem, outcome::Outcome};

/// Test policies, see what a change of them would change, name them.
#[derive(Args, Debug)]
pub struct Policies {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Test(test::Test),
    Diff(difference::Diff),
    Digest(Digest),
}

/// The digest of a policy set: the one that verdicts and refusals name. Order, comments and spelled-out defaults change nothing in it.
#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 printed, 2 a policy cannot work.")]
struct Digest {
    /// Policy files or folders, or the name of a shipped set; without any, the default set that ships with Sluice
    policies: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the output cannot be written. What is wrong with files is said and makes the exit code 2.
pub fn run(policies: Policies, connection: &Connection) -> anyhow::Result<Outcome> {
    let namespace = connection.namespace_or("default");
    match policies.command {
        Command::Test(test) => test::run(&test, &namespace),
        Command::Diff(diff) => difference::run(&diff, &namespace),
        Command::Digest(digest) => self::digest(&digest),
    }
}

fn digest(digest: &Digest) -> anyhow::Result<Outcome> {
    let loaded = policies::load(&digest.policies);
    if !said(&loaded.problems) {
        return Ok(Outcome::CannotTell);
    }
    console::print(&format!("{}\n", loaded.set.digest()))?;
    Ok(Outcome::Yes)
}

/// Says problems on the standard error. Whether there is none.
fn said(problems: &[Problem]) -> bool {
    for problem in problems {
        eprintln!("error: {}", console::lines(&problem.to_string()));
    }
    problems.is_empty()
}
