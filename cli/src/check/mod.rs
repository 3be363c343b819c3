//! `sluice check`: manifests and policy files judged by the engine of the webhook, in a pipeline, before anything is applied.
//!
//! Gathers files and facts, asks [`verdict::judge`], lays the baseline over it, prints. Offline unless `--server` asks the cluster for facts.

pub mod baseline;
pub mod exceptions;
pub mod excerpt;
pub mod facts;
pub mod fingerprint;
mod judge;
pub mod old;
pub mod policies;
pub mod raw;
pub mod report;
pub mod text;
pub mod verdict;

use std::{collections::BTreeSet, fs, path::PathBuf};

use anyhow::{Context, bail};
use clap::{ArgAction, Args, ValueEnum};
use jiff::Timestamp;
use sluice_policies::schema::{KubernetesVersion, Schemas};
use sluice_probes::{allow_list::TargetAllowList, validate::TargetRules};
use sluice_runtime::config::{self, Config};

use crate::{
    cluster::{self, replicas::Replicas},
    console::{self, Style},
    manifest::{
        Problem,
        document::{self, Manifests},
        source::{self, Source},
    },
    outcome::Outcome,
};
use baseline::Baseline;
use excerpt::Excerpts;
use facts::{Known, Reach};
use old::Old;
use report::Form;
use verdict::{FailOn, Judges, Verdict};

/// Judge manifests and policy files as the webhook would.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 nothing fails the run, 1 something does (see --fail-on), 2 something cannot be read."
)]
pub struct Check {
    /// Files, folders (with everything below), globs, or `-` for the standard input
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// The same, as kubectl spells it
    #[arg(short, long, value_name = "PATH")]
    filename: Vec<String>,
    /// Judge NEW as a change of OLD: what an object had before only warns, as in the cluster
    #[arg(long, value_names = ["OLD", "NEW"], num_args = 2, action = ArgAction::Set)]
    diff: Vec<String>,
    /// Policy files or folders, or the name of a shipped set; without any, the default set that ships with Sluice
    #[arg(long, value_name = "PATH", num_args = 1..)]
    policies: Vec<String>,
    /// Files or folders with PolicyExceptions that count, each from its own namespace
    #[arg(long, value_name = "PATH", num_args = 1..)]
    exceptions: Vec<String>,
    /// YAML with what rules may ask for beside the manifests: Namespaces, ResourceQuotas, ConfigMaps, Services and so on, as kubectl prints them
    #[arg(long, value_name = "FILE", num_args = 1..)]
    facts: Vec<String>,
    /// Read these facts from the cluster
    #[arg(long)]
    server: bool,
    /// Ask every ready replica of the webhook whether it judges by these very policies: another set fails the run, silence makes it 2
    #[arg(long, conflicts_with = "write_baseline")]
    expect_server_digest: bool,
    /// The Kubernetes version whose kinds the fields are checked against (without it, the newest that is shipped), and for which rules about upgrades judge
    /// where a policy names none
    #[arg(long, value_name = "VERSION")]
    kubernetes_version: Option<KubernetesVersion>,
    /// Sluice's configuration file, for the targets that probes may ask
    #[arg(long, env = "SLUICE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How the verdict is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    /// Write the verdict to a file too, such as `sarif=sluice.sarif`; may be given several times
    #[arg(long, value_name = "FORM=FILE", value_parser = report_file)]
    report: Vec<(Form, PathBuf)>,
    /// What makes the exit code 1; `never` leaves it at 0 unless something cannot be read
    #[arg(long, value_enum, value_delimiter = ',', default_value = "deny")]
    fail_on: Vec<FailOnWord>,
    /// Findings in this file do not count: what was there when checking began
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the findings to this file; together with --baseline only those that it has already
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOnWord {
    /// Only what would be refused
    Deny,
    /// Warnings too
    Warn,
    /// What nobody can tell, too
    Unknown,
    /// Nothing that was found
    Never,
}

fn report_file(text: &str) -> Result<(Form, PathBuf), String> {
    let Some((form, file)) = text.split_once('=').filter(|(_, file)| !file.is_empty()) else {
        return Err("passes: FORM=FILE, such as sarif=sluice.sarif".to_owned());
    };
    Ok((Form::from_str(form, false)?, PathBuf::from(file)))
}

fn fail_on(words: &[FailOnWord]) -> anyhow::Result<FailOn> {
    let says = |word| words.contains(&word);
    if says(FailOnWord::Never) && words.len() > 1 {
        bail!("--fail-on never stands alone");
    }
    Ok(FailOn {
        deny: !says(FailOnWord::Never),
        warn: says(FailOnWord::Warn),
        unknown: says(FailOnWord::Unknown),
    })
}

/// Runs the command.
///
/// # Errors
/// When the configuration, the baseline or the cluster cannot be read, or the output cannot be written. Bad manifests are part of the verdict.
pub async fn run(check: Check, connection: &cluster::Connection) -> anyhow::Result<Outcome> {
    let fail_on = fail_on(&check.fail_on)?;
    let namespace = connection.namespace_or("default");
    let config = check.config.as_deref().map(config::load_file).transpose()?;
    let targets = target_rules(config.as_ref())?;
    let baseline = check.baseline.as_deref().map(read_baseline).transpose()?;
    let mut loaded = policies::load(&check.policies);
    let version = check.kubernetes_version;
    if let Some(version) = version {
        loaded.set = loaded.set.for_kubernetes(version);
    }
    let mut problems: Vec<Problem> = loaded.problems;
    let mut excepted = exceptions::load(&check.exceptions, exceptions::bounds(config.as_ref()));
    problems.append(&mut excepted.problems);

    let mut named = [check.paths, check.filename].concat();
    if named.is_empty() && check.diff.is_empty() {
        bail!(
            "nothing to check: name files, folders, globs or -; behind an option that takes several, such as --policies, give them with -f"
        );
    }
    let mut older = Manifests::default();
    if let [old, new] = check.diff.as_slice() {
        named.push(new.clone());
        older = read(std::slice::from_ref(old), &mut problems).1;
        problems.append(&mut older.problems);
    }
    // a key that occurs twice is a finding here, with what kubectl makes of it; everywhere else it is a problem
    let (sources, unreadable) = source::read(&named);
    problems.extend(unreadable);
    let mut manifests = document::objects(&sources);
    if manifests.empty.iter().any(|name| name == "-") {
        // a command in front of the pipe that failed must not look like one that found nothing
        problems.push(Problem::of_file(
            "-",
            "the standard input holds no document: did the command before it fail?",
        ));
    }

    let client = if check.server || check.expect_server_digest {
        Some(connection.client().await?)
    } else {
        None
    };
    let mut known = Known::default();
    if let Some(client) = client.as_ref().filter(|_| check.server) {
        let namespaces = cluster::facts::namespaces(client).await?;
        known.learn(&namespaces, Reach::Cluster, &namespace);
        cluster::facts::learn(client, &mut known, &loaded.set, None).await?;
    }
    let (_, stated) = read(&check.facts, &mut problems);
    problems.extend(stated.problems);
    let stated = stated.objects;
    problems.extend(facts::problems(&stated, &check.facts, &[&loaded.set]));
    known.learn(
        stated.iter().map(|object| &object.value),
        Reach::Facts,
        &namespace,
    );
    known.learn_manifests(&manifests.objects, &namespace);
    for (objects, reach) in [
        (&stated, Reach::Facts),
        (&manifests.objects, Reach::Manifests),
    ] {
        let objects = objects.iter().map(|object| &object.value);
        known.learn_parameters(&loaded.set, objects, reach, &namespace);
    }
    let mut schemas = Schemas::new(version.unwrap_or_else(KubernetesVersion::newest));
    for object in stated.iter().chain(&manifests.objects) {
        schemas.learn(&object.value);
    }

    problems.append(&mut manifests.problems);
    manifests.problems = problems;
    let mut verdict = verdict::judge(
        &manifests,
        Judges {
            policies: &loaded.set,
            exceptions: Some((&excepted, Timestamp::now())),
            old: &Old::new(&older.objects, &namespace),
            known: &known,
            schemas: Some(&schemas),
            targets: &targets,
            namespace: &namespace,
        },
    );
    if let Some(baseline) = &baseline {
        let files: BTreeSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        baseline.lay_over(&mut verdict, &files);
    }
    if let Some(path) = &check.write_baseline {
        return write_baseline(&verdict, baseline.is_some(), path);
    }
    if let Some(client) = client.as_ref().filter(|_| check.expect_server_digest) {
        let service = config
            .as_ref()
            .map_or_else(Config::default, Config::clone)
            .webhook
            .service;
        let digest = loaded.set.digest();
        let replicas = cluster::replicas::ask(client, service.name.as_str(), Some(digest)).await?;
        verdict.server = Some(replicas);
    }
    let mut excerpts = Excerpts::new(&sources);
    for (file, place) in verdict.places_of(sluice_policies::HIDES_VALUES) {
        excerpts.hide(file, place);
    }
    for (form, path) in &check.report {
        let plain = Style { terminal: false };
        let text = report::render(&verdict, *form, fail_on, &excerpts, plain)?;
        fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let style = Style::of_stdout();
    console::print(&report::render(
        &verdict,
        check.output,
        fail_on,
        &excerpts,
        style,
    )?)?;
    if !matches!(check.output, Form::Text | Form::Concise) {
        // no other form has a place for it that everybody looks at
        for line in verdict.server.iter().flat_map(Replicas::differences) {
            eprintln!("error: {}", console::one_line(&line));
        }
    }
    Ok(verdict.outcome(fail_on))
}

/// Reads what was named: what cannot be read as a file is a problem, what cannot be read as an object one of the manifests.
pub(crate) fn read(named: &[String], problems: &mut Vec<Problem>) -> (Vec<Source>, Manifests) {
    let (sources, unreadable) = source::read(named);
    problems.extend(unreadable);
    let manifests = document::strict_objects(&sources);
    (sources, manifests)
}

fn read_baseline(path: &std::path::Path) -> anyhow::Result<Baseline> {
    let said = || format!("baseline {}", path.display());
    let text = fs::read_to_string(path).with_context(said)?;
    Baseline::parse(&text).with_context(said)
}

/// Writes every finding, or only those that a baseline covers already.
fn write_baseline(
    verdict: &Verdict,
    covered: bool,
    path: &std::path::Path,
) -> anyhow::Result<Outcome> {
    if let Some(problem) = verdict.problems.first() {
        bail!("no baseline is written of what cannot be read: {problem}");
    }
    let baseline = Baseline::of(verdict, |placed| placed.baselined || !covered);
    fs::write(path, baseline.text()?)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    let count = match baseline.len() {
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    console::print(&format!("{count} written to {}\n", path.display()))?;
    Ok(Outcome::Yes)
}

/// The bounds of probe targets. Without a configuration file the default allow-list holds, and the Prometheus sources are not known.
pub(crate) fn target_rules(config: Option<&Config>) -> anyhow::Result<TargetRules> {
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
