//! `sluice gate`: is it open, and why not. A stored state is believed only when the probe engine was seen alive by this very process.

mod answer;

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use kube::{Api, Client, ResourceExt, api::ListParams};
use sluice_api::{Gate, GateState, SYSTEM_NAMESPACE, WorkloadKind};
use sluice_planner::selection::{self, Workload};

use crate::{
    cluster::{self, Connection, explained, heartbeat},
    console::{self, Style},
    outcome::Outcome,
    output::Output,
    workload::{self, Named},
};
use answer::Answer;

/// Gates: is it open, and why not.
#[derive(Args, Debug)]
pub struct Gates {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Every gate of the namespace
    List {
        /// Of every namespace
        #[arg(short = 'A', long)]
        all_namespaces: bool,
        #[command(flatten)]
        output: Output,
    },
    /// One gate, or every gate of a workload; exits 0 open, 1 closed, 2 when nobody can tell
    Get {
        /// NAME, or deployment/NAME for every gate that guards it
        name: String,
        #[command(flatten)]
        output: Output,
    },
}

/// Runs the command.
///
/// # Errors
/// When the cluster cannot be read or does not hold what was named.
pub async fn run(gates: Gates, connection: &Connection) -> anyhow::Result<Outcome> {
    let client = connection.client().await?;
    let namespace = connection.namespace_or(client.default_namespace());
    let style = Style::of_stdout();
    match gates.command {
        Command::List {
            all_namespaces,
            output,
        } => {
            let api = if all_namespaces {
                Api::all(client.clone())
            } else {
                Api::namespaced(client.clone(), &namespace)
            };
            let alive = heartbeat::fresh(&client).await?;
            let answers: Vec<Answer> = listed(&api)
                .await?
                .iter()
                .map(|gate| Answer::of(gate, alive))
                .collect();
            console::print(&output.output.show(&answers, || {
                answer::table(&answers, style, Timestamp::now())
            })?)?;
            Ok(Outcome::Yes)
        }
        Command::Get { name, output } => {
            // the heartbeat first: a state read after it was written by an engine that was alive a moment ago
            let named = workload::parse(&name, &["gate", "gates", "slgate"])?;
            let alive = heartbeat::fresh(&client).await?;
            let answers = match named {
                Named::Object(name) => {
                    vec![Answer::of(&one(&client, &namespace, &name).await?, alive)]
                }
                Named::Workload { kind, name } => {
                    let guarding = guarding(&client, &namespace, kind, &name).await?;
                    guarding
                        .iter()
                        .map(|gate| Answer::of(gate, alive))
                        .collect()
                }
            };
            let text = || match answers.is_empty() {
                true => format!("no gate guards {name}\n"),
                false => answers
                    .iter()
                    .map(|answer| answer.text(style, Timestamp::now()))
                    .collect(),
            };
            let shown = match answers.as_slice() {
                [answer] => output.output.show(answer, text)?,
                _ => output.output.show(&answers, text)?,
            };
            console::print(&shown)?;
            Ok(outcome(&answers))
        }
    }
}

/// Closed is a no; unknown is no yes either, and nobody can tell. No gate at all is a yes: nothing stands in the way.
fn outcome(answers: &[Answer]) -> Outcome {
    let any = |state| answers.iter().any(|answer| answer.state == state);
    if any(GateState::Closed) {
        Outcome::No
    } else if any(GateState::Unknown) {
        Outcome::CannotTell
    } else {
        Outcome::Yes
    }
}

async fn one(client: &Client, namespace: &str, name: &str) -> anyhow::Result<Gate> {
    let api: Api<Gate> = Api::namespaced(client.clone(), namespace);
    match cluster::get(&api, name, "gate").await? {
        Some(gate) => Ok(gate),
        None => bail!("no gate {name} in namespace {namespace}; `sluice gate list -A` shows all"),
    }
}

async fn listed(api: &Api<Gate>) -> anyhow::Result<Vec<Gate>> {
    Ok(explained(
        api.list(&ListParams::default()).await,
        "gates cannot be listed",
    )?
    .items)
}

/// The gates of a workload: those of its own namespace and of Sluice's.
async fn guarding(
    client: &Client,
    namespace: &str,
    kind: WorkloadKind,
    name: &str,
) -> anyhow::Result<Vec<Gate>> {
    let labels = match kind {
        WorkloadKind::Deployment => cluster::get(
            &Api::<Deployment>::namespaced(client.clone(), namespace),
            name,
            kind.as_str(),
        )
        .await?
        .map(|found| found.labels().clone()),
        WorkloadKind::StatefulSet => cluster::get(
            &Api::<StatefulSet>::namespaced(client.clone(), namespace),
            name,
            kind.as_str(),
        )
        .await?
        .map(|found| found.labels().clone()),
        WorkloadKind::DaemonSet => cluster::get(
            &Api::<DaemonSet>::namespaced(client.clone(), namespace),
            name,
            kind.as_str(),
        )
        .await?
        .map(|found| found.labels().clone()),
    };
    let Some(labels) = labels else {
        bail!(
            "no {} {name} in namespace {namespace}",
            kind.as_str().to_lowercase()
        );
    };
    let mut gates = listed(&Api::namespaced(client.clone(), namespace)).await?;
    if namespace != SYSTEM_NAMESPACE {
        gates.extend(listed(&Api::namespaced(client.clone(), SYSTEM_NAMESPACE)).await?);
    }
    let workload = Workload {
        namespace,
        kind,
        name,
        labels: &labels,
    };
    Ok(
        selection::matching_gates(workload, SYSTEM_NAMESPACE, &gates)
            .into_iter()
            .cloned()
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_open_everywhere_is_a_yes() {
        use GateState::{Closed, Open, Unknown};
        for (states, expected) in [
            (vec![], Outcome::Yes),
            (vec![Open], Outcome::Yes),
            (vec![Open, Unknown], Outcome::CannotTell),
            (vec![Unknown, Closed], Outcome::No),
            (vec![Open, Closed], Outcome::No),
        ] {
            let answers: Vec<Answer> = states
                .iter()
                .map(|state| Answer {
                    state: *state,
                    ..Answer::default()
                })
                .collect();
            assert_eq!(outcome(&answers), expected, "{states:?}");
        }
    }
}
