//! `sluice check`: manifests and policy files judged by the engine of the webhook, in a pipeline, before anything is applied.
//!
//! Gathers files and facts, asks [`verdict::judge`], prints. Offline unless `--server` asks the cluster for facts.

pub mod facts;
pub mod policies;
pub mod text;
pub mod verdict;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sluice_probes::{allow_list::TargetAllowList, validate::TargetRules};
use sluice_runtime::config::{self, Config};

use crate::{
    cluster,
    console::{self, Style},
    manifest::{Problem, document, source},
    outcome::Outcome,
    output::Output,
};
use facts::{Known, Reach};
use verdict::{FailOn, Judges};

/// Judge manifests and policy files as the webhook would.
#[derive(Args, Debug)]
pub struct Check {
    /// Files, folders (with everything below), globs, or `-` for the standard input
    #[arg(value_name = "PATH", required_unless_present = "filename")]
    paths: Vec<String>,
    /// The same, as kubectl spells it
    #[arg(short, long, value_name = "PATH")]
    filename: Vec<String>,
    /// Policy files or folders; without any, the default set that ships with Sluice
    #[arg(long, value_name = "PATH", num_args = 1..)]
    policies: Vec<String>,
    /// YAML with Namespaces, ResourceQuotas and LimitRanges that rules may ask for
    #[arg(long, value_name = "FILE", num_args = 1..)]
    facts: Vec<String>,
    /// Read these facts from the cluster
    #[arg(long)]
    server: bool,
    /// Sluice's configuration file, for the targets that probes may ask
    #[arg(long, env = "SLUICE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
    /// What beside a denial makes the exit code 1
    #[arg(long, value_enum, value_delimiter = ',', default_value = "deny")]
    fail_on: Vec<FailOnWord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOnWord {
    /// Only what would be refused
    Deny,
    /// Warnings too
    Warn,
    /// What nobody can tell, too
    Unknown,
}

/// Runs the command.
///
/// # Errors
/// When the configuration or the cluster cannot be read, or the output cannot be written. Bad manifests are part of the verdict.
pub async fn run(check: Check, connection: &cluster::Connection) -> anyhow::Result<Outcome> {
    let namespace = connection.namespace_or("default");
    let config = check.config.as_deref().map(config::load_file).transpose()?;
    let targets = target_rules(config.as_ref())?;
    let loaded = policies::load(&check.policies);

    let (sources, unreadable) = source::read(&[check.paths, check.filename].concat());
    let mut manifests = document::objects(&sources);
    let mut problems: Vec<Problem> = loaded.problems;
    problems.extend(unreadable);

    let mut known = Known::default();
    if check.server {
        known.learn(
            cluster::facts::read(&connection.client().await?).await?,
            Reach::Cluster,
            &namespace,
        );
    }
    let (sources, unreadable) = source::read(&check.facts);
    let stated = document::objects(&sources);
    problems.extend(unreadable);
    problems.extend(stated.problems);
    known.learn(
        stated.objects.into_iter().map(|object| object.value),
        Reach::Facts,
        &namespace,
    );
    known.learn_manifests(&manifests.objects, &namespace);

    problems.append(&mut manifests.problems);
    manifests.problems = problems;
    let verdict = verdict::judge(
        manifests,
        Judges {
            policies: &loaded.set,
            known: &known,
            targets: &targets,
            namespace: &namespace,
        },
    );
    let text = || text::render(&verdict, Style::of_stdout());
    console::print(&check.output.output.show(&verdict, text)?)?;
    Ok(verdict.outcome(FailOn {
        warn: check.fail_on.contains(&FailOnWord::Warn),
        unknown: check.fail_on.contains(&FailOnWord::Unknown),
    }))
}

/// The bounds of probe targets. Without a configuration file the default allow-list holds, and the Prometheus sources are not known.
fn target_rules(config: Option<&Config>) -> anyhow::Result<TargetRules> {
    let Some(config) = config else {
        let default = Config::default();
        return Ok(TargetRules {
            allow: allow_list(&default)?,
            sources: None,
        });
    };
    Ok(TargetRules {
        allow: allow_list(config)?,
        sources: Some(
            config
                .prometheus
                .keys()
                .map(|name| name.as_str().to_owned())
                .collect(),
        ),
    })
}

fn allow_list(config: &Config) -> anyhow::Result<TargetAllowList> {
    Ok(TargetAllowList::parse(
        config
            .probes
            .allow_targets
            .iter()
            .map(|pattern| pattern.as_str()),
    )?)
}
