//! How long `sluice check` takes, start included, what it computes and how much memory it has: 1,000 manifests (some 700 kB) and a single one.
//!
//! `cargo bench -p sluice-cli --bench check` measures a release build and prints each number beside its bar. The machine should do nothing else.
//! `-- --peers FOLDER` measures the programs of a folder beside it on the same manifests, `--write FILE` writes a page: see `make bench-peers`.

mod cost;
mod manifests;
mod page;
mod peers;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cost::{Cost, measure};
use peers::Measured;

const MANIFESTS: usize = 1_000;
/// Runs on all manifests, and on one.
const RUNS: (usize, usize) = (21, 101);
/// The same for programs that may take seconds.
const RUNS_OF_PEERS: (usize, usize) = (7, 15);

/// What a number is held against.
struct Bar {
    milliseconds: f64,
    megabytes: Option<f64>,
}

fn main() -> Result<(), String> {
    let (peers, page) = arguments()?;
    let folder = std::env::temp_dir().join(format!("sluice-bench-check-{}", std::process::id()));
    let bytes = manifests::write(&folder.join("manifests"), MANIFESTS);
    let all = folder.join("manifests");
    let one = all.join("0000.yaml");
    println!("{MANIFESTS} manifests, {} kB", bytes / 1_000);
    println!(
        "{:<32} {:>10} {:>10} {:>10} {:>10}  bar",
        "", "median", "best", "CPU", "memory"
    );
    let mut costs = Vec::new();
    for (what, path, form, runs, bar) in [
        (
            "1,000 manifests",
            &all,
            "text",
            RUNS.0,
            Some(Bar {
                milliseconds: 100.0,
                megabytes: Some(40.0),
            }),
        ),
        ("1,000 manifests, SARIF", &all, "sarif", RUNS.0, None),
        (
            "one manifest",
            &one,
            "text",
            RUNS.1,
            Some(Bar {
                milliseconds: 8.0,
                megabytes: None,
            }),
        ),
    ] {
        let cost = measure(&mut sluice(path, form, None), runs, &[0]);
        println!("{what:<32} {}  {}", line(&cost), against(&cost, bar));
        costs.push(cost);
    }
    if !peers.is_empty() {
        let found = peers::of_sluice(&cost::output(&mut sluice(&all, "json", None), &[0]));
        let mut measured = vec![same_rules(&folder, &all, &one)];
        measured.extend(peers::measure_all(&peers, &folder, &all, &one));
        let text = page::page(bytes, &costs, &found, &measured);
        match &page {
            Some(file) => fs::write(file, text).expect("the page is written"),
            None => println!("\n{text}"),
        }
    }
    if let Err(error) = fs::remove_dir_all(&folder) {
        eprintln!("{} is left over: {error}", folder.display());
    }
    Ok(())
}

/// `sluice check` by the rules that gator and kyverno are given.
fn same_rules(scratch: &Path, all: &Path, one: &Path) -> Measured {
    let policy = scratch.join("sluice.yaml");
    fs::write(&policy, include_str!("peers/sluice.yaml")).expect("the policy is written");
    let run = |path: &Path, form: &str| sluice(path, form, Some(&policy));
    Measured {
        name: "`sluice check`, the same rules",
        version: env!("CARGO_PKG_VERSION").to_owned(),
        checks: "6 expressions in CEL, and every field against Kubernetes' schema",
        found: peers::of_own_rules(&cost::output(&mut run(all, "json"), &[0])),
        all: measure(&mut run(all, "text"), RUNS.0, &[0]),
        one: measure(&mut run(one, "text"), RUNS.1, &[0]),
    }
}

/// The folders of other programs, and the page to write.
fn arguments() -> Result<(Vec<PathBuf>, Option<PathBuf>), String> {
    let (mut peers, mut page) = (Vec::new(), None);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let value = arguments.next().map(PathBuf::from);
            value.ok_or_else(|| format!("{argument:?} without a value"))
        };
        match argument.to_str() {
            Some("--peers") => peers.push(value()?),
            Some("--write") => page = Some(value()?),
            // cargo says so
            Some("--bench") => {}
            _ => {
                return Err(format!(
                    "{argument:?}: neither --peers FOLDER nor --write FILE"
                ));
            }
        }
    }
    Ok((peers, page))
}

/// The command that is measured: the default set or a policy, every finding printed.
fn sluice(path: &Path, form: &str, policy: Option<&Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    let arguments: [OsString; 6] = [
        "check".into(),
        path.into(),
        "-o".into(),
        form.into(),
        "--fail-on".into(),
        "never".into(),
    ];
    command
        .args(arguments)
        .env("KUBECONFIG", "/nonexistent")
        .env_remove("SLUICE_CONFIG");
    if let Some(policy) = policy {
        command.arg("--policies").arg(policy);
    }
    command
}

fn line(cost: &Cost) -> String {
    format!(
        "{:>7.1} ms {:>7.1} ms {:>7.1} ms {:>7.1} MB",
        milliseconds(cost.wall()),
        milliseconds(cost.best()),
        milliseconds(cost.cpu),
        megabytes(cost.memory)
    )
}

fn against(cost: &Cost, bar: Option<Bar>) -> String {
    let Some(bar) = bar else {
        return String::new();
    };
    let kept = milliseconds(cost.wall()) <= bar.milliseconds
        && bar
            .megabytes
            .is_none_or(|most| megabytes(cost.memory) <= most);
    let memory = bar
        .megabytes
        .map(|most| format!(", {most} MB"))
        .unwrap_or_default();
    format!(
        "≤ {} ms{memory}: {}",
        bar.milliseconds,
        if kept { "ok" } else { "missed" }
    )
}

fn milliseconds(of: std::time::Duration) -> f64 {
    of.as_secs_f64() * 1e3
}

/// A million bytes each.
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
