//! `sluice policy`: policies as code. Tests of them, what a change of them would change, and the name of what they mean. Offline, but for the digest of the
//! cluster where it is asked for.

mod beside;
mod case;
mod difference;
mod test;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::{
    check::policies,
    cluster::{
        Connection,
        replicas::{self, Replicas},
    },
    console,
    manifest::Problem,
    outcome::Outcome,
    output::Output,
};

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
#[command(
    after_help = "Exit codes: 0 printed; with --server: every ready replica judges by the same set, and by that of the files. 1 one of them does not. 2 a policy cannot work, or a replica cannot be heard."
)]
struct Digest {
    /// Policy files or folders, or the name of a shipped set; without any, the default set that ships with Sluice
    policies: Vec<String>,
    /// Ask every ready replica of the webhook what it judges by, and hold that against the files when any are given
    #[arg(long)]
    server: bool,
    /// The name of the webhook's Service
    #[arg(
        long,
        value_name = "NAME",
        default_value = "sluice-webhook",
        requires = "server"
    )]
    service: String,
    #[command(flatten)]
    output: Output,
}

/// The digest of files. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfFiles<'a> {
    digest: &'a str,
}

/// Runs the command.
///
/// # Errors
/// When the output cannot be written. What is wrong with files is said and makes the exit code 2.
pub async fn run(policies: Policies, connection: &Connection) -> anyhow::Result<Outcome> {
    let namespace = connection.namespace_or("default");
    match policies.command {
        Command::Test(test) => test::run(&test, &namespace),
        Command::Diff(diff) => difference::run(&diff, &namespace),
        Command::Digest(digest) => self::digest(&digest, connection).await,
    }
}

async fn digest(digest: &Digest, connection: &Connection) -> anyhow::Result<Outcome> {
    let loaded = policies::load(&digest.policies);
    if !said(&loaded.problems) {
        return Ok(Outcome::CannotTell);
    }
    let format = digest.output.output;
    let of_files = OfFiles {
        digest: loaded.set.digest(),
    };
    if !digest.server {
        let text = || format!("{}\n", of_files.digest);
        console::print(&format.show(&of_files, text)?)?;
        return Ok(Outcome::Yes);
    }
    let client = connection.client().await?;
    let expected = (!digest.policies.is_empty()).then_some(of_files.digest);
    let replicas = replicas::ask(&client, &digest.service, expected).await?;
    console::print(&format.show(&replicas, || table(&replicas))?)?;
    for line in replicas.differences() {
        eprintln!("error: {}", console::one_line(&line));
    }
    Ok(replicas.outcome())
}

fn table(replicas: &Replicas) -> String {
    let rows: Vec<Vec<String>> = replicas
        .replicas
        .iter()
        .map(|one| {
            let policies = one.policies.map(|policies| policies.to_string());
            vec![
                one.name.clone(),
                one.standing.as_str().to_owned(),
                policies.unwrap_or_default(),
                one.digest.clone().unwrap_or_default(),
            ]
        })
        .collect();
    console::table(&["REPLICA", "STANDING", "POLICIES", "DIGEST"], &rows)
}

/// Says problems on the standard error. Whether there is none.
fn said(problems: &[Problem]) -> bool {
    for problem in problems {
        eprintln!("error: {}", console::lines(&problem.to_string()));
    }
    problems.is_empty()
}
