//! `sluice release`: what is being released, why it waits, how it ended; abort and retry.

mod picture;
pub mod progress;
mod read;
mod request;
mod wait;

use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use kube::{Api, Client, ResourceExt, api::ListParams};
use sluice_api::Release;

use crate::{
    age,
    cluster::{Connection, explained},
    console::{self, Style, Tone, one_line},
    outcome::Outcome,
    output::{Format, Output},
    workload::{self, Named},
};
use request::Request;

/// Releases: what is under way, why it waits, how it ended.
#[derive(Args, Debug)]
pub struct Releases {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// The releases of the namespace, or of one workload, youngest first
    List {
        /// deployment/NAME: only its releases
        workload: Option<String>,
        /// Of every namespace
        #[arg(short = 'A', long)]
        all_namespaces: bool,
        #[command(flatten)]
        output: Output,
    },
    /// One release with its pods, batches, reasons, timeline and way back
    Get {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        output: Output,
    },
    /// Follow a release until it ends; exits as `wait` does
    Watch {
        #[command(flatten)]
        which: Which,
    },
    /// Wait until the release of the applied version ends: 0 Succeeded, 1 rolled back, failed or superseded, 2 timed out or nothing to wait for
    Wait {
        #[command(flatten)]
        which: Which,
        /// How long, such as 90s or 30m
        #[arg(long, value_name = "DURATION", default_value = "30m")]
        timeout: sluice_api::Duration,
        #[command(flatten)]
        output: Output,
    },
    /// Undo a release that is under way (needs the verb `abort` on it)
    Abort {
        #[command(flatten)]
        which: Which,
        /// Why, for the record
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "asked for on the command line"
        )]
        reason: String,
    },
    /// Let a version that was rolled back in again, unlock its workload, or go on after a pause (needs the verb `retry` on it)
    Retry {
        #[command(flatten)]
        which: Which,
        /// Why, for the record
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "asked for on the command line"
        )]
        reason: String,
    },
}

#[derive(Args, Debug)]
struct Which {
    /// deployment/NAME for its current release, or the name of a release
    name: String,
}

impl Which {
    fn named(&self) -> anyhow::Result<Named> {
        Ok(workload::parse(
            &self.name,
            &["release", "releases", "slrel"],
        )?)
    }
}

/// Runs the command.
///
/// # Errors
/// When the cluster cannot be read or does not hold what was named.
pub async fn run(releases: Releases, connection: &Connection) -> anyhow::Result<Outcome> {
    let client = connection.client().await?;
    let namespace = connection.namespace_or(client.default_namespace());
    match releases.command {
        Command::List {
            workload,
            all_namespaces,
            output,
        } => list(&client, &namespace, workload, all_namespaces, output.output).await,
        Command::Get { which, output } => {
            get(&client, &namespace, &which.named()?, output.output).await
        }
        Command::Watch { which } => watch(&client, &namespace, &which.named()?).await,
        Command::Wait {
            which,
            timeout,
            output,
        } => {
            wait::wait(
                &client,
                &namespace,
                &which.named()?,
                Some(timeout.get()),
                output.output,
            )
            .await
        }
        Command::Abort { which, reason } => {
            request::ask(
                &client,
                &namespace,
                &which.named()?,
                Request::Abort,
                &bounded(reason)?,
            )
            .await
        }
        Command::Retry { which, reason } => {
            request::ask(
                &client,
                &namespace,
                &which.named()?,
                Request::Retry,
                &bounded(reason)?,
            )
            .await
        }
    }
}

fn bounded(reason: String) -> anyhow::Result<String> {
    match reason.chars().count() {
        1..=512 => Ok(reason),
        count => bail!("the reason has {count} characters; passes: 1 to 512"),
    }
}

async fn list(
    client: &Client,
    namespace: &str,
    workload: Option<String>,
    everywhere: bool,
    format: Format,
) -> anyhow::Result<Outcome> {
    let api: Api<Release> = if everywhere {
        Api::all(client.clone())
    } else {
        Api::namespaced(client.clone(), namespace)
    };
    let mut found = explained(
        api.list(&ListParams::default()).await,
        "releases cannot be listed",
    )?
    .items;
    if let Some(text) = workload {
        match workload::parse(&text, &["release"])? {
            Named::Workload { kind, name } => found.retain(|release| {
                release.spec.workload.kind == kind && release.spec.workload.name == name
            }),
            Named::Object(name) => found.retain(|release| release.spec.workload.name == name),
        }
    }
    found.sort_by_key(|release| {
        std::cmp::Reverse((
            release.creation_timestamp().map(|time| time.0),
            release.name_any(),
        ))
    });
    for release in &mut found {
        release.metadata.managed_fields = None;
    }
    let style = Style::of_stdout();
    console::print(&format.show(&found, || table(&found, style, Timestamp::now()))?)?;
    Ok(Outcome::Yes)
}

fn table(releases: &[Release], style: Style, now: Timestamp) -> String {
    if releases.is_empty() {
        return "no releases\n".to_owned();
    }
    let rows: Vec<Vec<String>> = releases
        .iter()
        .map(|release| {
            let status = release.status.clone().unwrap_or_default();
            let (sign, _) = picture::icon(status.phase);
            let sign = if style.terminal {
                format!("{sign} ")
            } else {
                String::new()
            };
            let created = release.creation_timestamp().map(|time| time.0.to_string());
            vec![
                release.namespace().unwrap_or_default(),
                release.name_any(),
                format!(
                    "{}/{}",
                    release.spec.workload.kind.as_str().to_lowercase(),
                    release.spec.workload.name
                ),
                format!("{sign}{}", status.phase),
                status.batch.map(|batch| batch.text).unwrap_or_default(),
                status
                    .pods
                    .map(|pods| format!("{}/{}", pods.new_ready, pods.replicas))
                    .unwrap_or_default(),
                age::since(created.as_deref(), now),
                status.message.as_deref().map(one_line).unwrap_or_default(),
            ]
        })
        .collect();
    console::table(
        &[
            "NAMESPACE",
            "NAME",
            "WORKLOAD",
            "PHASE",
            "BATCH",
            "NEW READY",
            "AGE",
            "WHY",
        ],
        &rows,
    )
}

async fn get(
    client: &Client,
    namespace: &str,
    named: &Named,
    format: Format,
) -> anyhow::Result<Outcome> {
    let found = read::find(client, namespace, named).await?;
    let Some(release) = found.current() else {
        console::print(&format.show(&serde_json::Value::Null, || {
            format!("{}\n", found.progress().now)
        })?)?;
        return Ok(Outcome::CannotTell);
    };
    let mut release = release.clone();
    release.metadata.managed_fields = None;
    let text = match format {
        Format::Text => drawn(client, namespace, &release).await?,
        Format::Json | Format::Yaml => format.show(&release, String::new)?,
    };
    console::print(&text)?;
    Ok(Outcome::Yes)
}

async fn drawn(client: &Client, namespace: &str, release: &Release) -> anyhow::Result<String> {
    let pods = read::pods(client, namespace, &release.spec.workload.uid).await?;
    let pods = pods
        .as_ref()
        .map(|(sets, pods)| (sets.as_slice(), pods.as_slice()));
    Ok(picture::draw(
        release,
        pods,
        Style::of_stdout(),
        Timestamp::now(),
    ))
}

/// On a terminal the picture, drawn anew in its place every second; in a pipe a line per change.
async fn watch(client: &Client, namespace: &str, named: &Named) -> anyhow::Result<Outcome> {
    let style = Style::of_stdout();
    if !style.terminal {
        return wait::wait(client, namespace, named, None, Format::Text).await;
    }
    let mut picture = console::Redrawn::default();
    let mut last = String::new();
    loop {
        let (note, outcome) = match look(client, namespace, named).await {
            Ok((text, outcome)) => {
                last = text;
                (String::new(), outcome)
            }
            // an API server that restarts is no reason to stop looking
            Err(error) if wait::passes_by(&error) => {
                let note = format!(
                    "the API server does not answer, trying again: {}",
                    console::chain(&error)
                );
                (style.paint(Tone::Doubtful, &one_line(&note)), None)
            }
            Err(error) => return Err(error),
        };
        let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
        let foot = format!("{} {note}", style.paint(Tone::Quiet, &time));
        picture.draw(&format!("{last}\n{}\n", foot.trim_end()))?;
        if let Some(outcome) = outcome {
            return Ok(outcome);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The picture of now, and the outcome once there is one.
async fn look(
    client: &Client,
    namespace: &str,
    named: &Named,
) -> anyhow::Result<(String, Option<Outcome>)> {
    let found = read::find(client, namespace, named).await?;
    let progress = found.progress();
    let text = match found.current() {
        Some(release) => drawn(client, namespace, release).await?,
        None => format!("{}\n", progress.now),
    };
    Ok((text, progress.outcome))
}
