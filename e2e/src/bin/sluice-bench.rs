//! `make bench`: measures, prints each value next to its bar, and says what was missed.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use sluice_e2e::bench::{
    aborts,
    admission::{self, Asked},
    machine,
    report::Report,
    rest,
};

/// How the page begins.
const HEAD: &str = "# Numbers\n\nWritten by `make bench WRITE=1` from one run; `make bench` measures again. Release builds on a real control plane (etcd, kube-apiserver,\ncontroller manager and scheduler) that shares the machine with what is measured. The installed pods on a real cluster: [numbers-cluster.md](numbers-cluster.md).";

/// What Sluice costs, on a real control plane.
#[derive(Parser)]
struct Arguments {
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Write the numbers as a page too.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// End with 1 when a bar is missed.
    #[arg(long)]
    strict: bool,
    /// Seconds of one round of reviews.
    #[arg(long, default_value_t = 4)]
    round: u64,
    /// Seconds for which the resting cluster is watched.
    #[arg(long, default_value_t = 60)]
    rest: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What a review costs.
    Admission,
    /// What many rules cost, and rules in CEL.
    Rules,
    /// What a review as large as is taken costs.
    Large,
    /// What a resting cluster costs.
    Rest,
    /// How fast a bad release is undone.
    Aborts,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tokio::select! {
        measured = measure(&arguments) => match measured {
            Ok(report) if arguments.strict && report.missed() > 0 => ExitCode::FAILURE,
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::from(2)
            }
        },
        _ = tokio::signal::ctrl_c() => {
            eprintln!("interrupted");
            ExitCode::from(130)
        }
    }
}

async fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its numbers say nothing");
    }
    let mut report = Report {
        machine: machine::description(),
        sections: Vec::new(),
    };
    let asked = |part: Part| arguments.only.is_empty() || arguments.only.contains(&part);
    let reviews = Asked {
        everyday: asked(Part::Admission),
        rules: asked(Part::Rules),
        large: asked(Part::Large),
    };
    if reviews.everyday || reviews.rules || reviews.large {
        let round = Duration::from_secs(arguments.round);
        eprintln!("what a review costs ...");
        report
            .sections
            .extend(admission::measure(round, reviews).await?);
    }
    if asked(Part::Rest) {
        eprintln!("what 1,000 governed Deployments at rest cost ...");
        let length = Duration::from_secs(arguments.rest);
        report.sections.extend(rest::measure(length).await?);
    }
    if asked(Part::Aborts) {
        eprintln!("how fast bad releases are undone ...");
        report.sections.extend(aborts::measure().await?);
    }
    println!("{}", report.table());
    if let Some(file) = &arguments.write {
        std::fs::write(file, report.page(HEAD))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(report)
}
