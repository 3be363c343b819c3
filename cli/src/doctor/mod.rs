//! `sluice doctor`: is this installation well, and how is each thing mended.
//!
//! Facts are gathered first, all at once, with the caller's own rights ([`gather`]); then every check looks at them alone ([`checks`], pure). What could not be
//! read is "cannot tell", never "well". Nothing is changed: the one request that looks like a write is a server-side dry-run.
//!
//! What it cannot know, and says: of several API servers it asks the one that the kubeconfig names; a clock that is wrong everywhere alike looks right.

mod answer;
mod checks;
mod facts;
mod gather;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cluster::Connection,
    console::{self, Style},
    installation::install::refuse_other_namespaces,
    outcome::Outcome,
    output::Output,
};
use answer::{Answer, Health};

/// Examine the installation in the cluster, and say how to mend what is broken.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 all is well. 1 something is broken. 2 nothing is known to be broken, but something could not be told. Takes some seconds: what the programs say of themselves counts only when it is renewed while doctor looks."
)]
pub struct Doctor {
    /// A release in whose record nothing changes for this long counts as stuck, unless it waits for a gate, a bake or a human
    #[arg(long, value_name = "DURATION", default_value = "15m")]
    stuck_after: sluice_api::Duration,
    #[command(flatten)]
    output: Output,
}

/// Every answer. The JSON form is stable: fields may be added, never renamed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    result: Health,
    checks: Vec<Answer>,
}

/// Runs the command.
///
/// # Errors
/// When no cluster can be asked at all.
pub async fn run(doctor: Doctor, connection: &Connection) -> anyhow::Result<Outcome> {
    refuse_other_namespaces(connection)?;
    let client = connection.client().await?;
    let facts = gather::gather(&client, Timestamp::now(), doctor.stuck_after.get()).await;
    let checks = checks::examine(&facts);
    let report = Report {
        result: checks
            .iter()
            .map(|answer| answer.result)
            .max()
            .unwrap_or_default(),
        checks,
    };
    let style = Style::of_stdout();
    let text = || answer::text(&report.checks, style);
    console::print(&doctor.output.output.show(&report, text)?)?;
    Ok(match report.result {
        Health::Ok => Outcome::Yes,
        Health::CannotTell => Outcome::CannotTell,
        Health::Broken => Outcome::No,
    })
}
