//! Runs one target: `sluice-fuzz TARGET`, with `CASES` (10,000,000), `SEED` (1) and `KEEP` (0) from the environment, or `sluice-fuzz TARGET FILE…` to run
//! cases from files.
//!
//! The case under way stands in `target/fuzz-cases/TARGET-SEED.case`, so that even one that ends the process (a full stack, no memory left) is at hand; one that
//! breaks something is written to `TARGET-SEED.broken` beside it. Both are run again by giving the file. With `KEEP=N` the last N cases whose
//! answers were new are left in `TARGET-SEED.kept/`. A run of the same seed and the same corpus makes the same cases.

use std::{collections::VecDeque, env, fs, path::Path, process::ExitCode, thread};

use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit, setrlimit};
use sluice_fuzz::{
    corpus,
    run::{Broken, Tally, run},
    target::{Target, run_case},
    targets,
    under_way::UnderWay,
};

/// Cases between two lines of progress.
const STRIDE: u64 = 100_000;
/// The stack that cases have: that of the webhook's threads.
const STACK: usize = 2 << 20;
/// What the process may map: a case that asks for more ends it, instead of the machine.
const MAPPED: u64 = 4 << 30;
/// The longest case that is worth keeping.
const KEPT_LENGTH: usize = 1500;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let files: Vec<String> = arguments.collect();
    let Some(target) = targets::by_name(&name) else {
        bail!("no target {name:?}; passes: {}", targets::NAMES.join(", "));
    };
    let limit = Rlimit {
        current: Some(MAPPED),
        maximum: Some(MAPPED),
    };
    setrlimit(Resource::As, limit).context("limit of memory")?;
    let worker = thread::Builder::new().stack_size(STACK);
    let worker = worker.spawn(move || {
        if files.is_empty() {
            search(target)
        } else {
            again(target, &files)
        }
    })?;
    match worker.join() {
        Ok(outcome) => outcome,
        Err(panic) => bail!("{}", sluice_runtime::drain::panic_text(panic.as_ref())),
    }
}

/// Runs cases from files.
fn again(mut target: Box<dyn Target + Send>, files: &[String]) -> anyhow::Result<ExitCode> {
    let mut broken = false;
    for file in files {
        let case = UnderWay::read(Path::new(file))?;
        match run_case(target.as_mut(), &case) {
            Ok(seen) => println!("{file}: {}", seen.depth),
            Err(what) => {
                broken = true;
                println!("{file}: BROKEN: {what}");
            }
        }
    }
    Ok(ExitCode::from(u8::from(broken)))
}

fn search(mut target: Box<dyn Target + Send>) -> anyhow::Result<ExitCode> {
    let cases = number("CASES", 10_000_000)?;
    let seed = number("SEED", 1)?;
    let keep = usize::try_from(number("KEEP", 0)?)?;
    let name = target.name();
    let under_way = UnderWay::of_run(name, seed)?;
    let kept = corpus::kept(corpus::CORPUS, name)?;
    let kept = kept.into_iter().map(|(_, bytes)| bytes).collect();

    let mut worth_keeping: VecDeque<Vec<u8>> = VecDeque::new();
    let outcome = run(
        target.as_mut(),
        kept,
        seed,
        cases,
        |case| {
            // without it a case that ends the process would have to be searched for
            if let Err(error) = under_way.set(case) {
                eprintln!("{name}: the case under way cannot be written: {error}");
            }
        },
        |tally, case, new| {
            if new && keep > 0 && case.len() <= KEPT_LENGTH {
                worth_keeping.push_back(case.to_vec());
                if worth_keeping.len() > keep {
                    worth_keeping.pop_front();
                }
            }
            if tally.cases.is_multiple_of(STRIDE) {
                println!("{name} (seed {seed}): {tally}");
            }
        },
    );
    under_way.done();
    if keep > 0 {
        let folder = corpus::found().join(format!("{name}-{seed}.kept"));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for (place, case) in worth_keeping.iter().enumerate() {
            let path = folder.join(format!("{place:04}"));
            fs::write(&path, case).with_context(|| path.display().to_string())?;
        }
    }
    told(name, seed, outcome)
}

fn told(name: &str, seed: u64, outcome: Result<Tally, Box<Broken>>) -> anyhow::Result<ExitCode> {
    match outcome {
        Ok(tally) => {
            println!("{name} (seed {seed}): clean, {tally}");
            Ok(ExitCode::SUCCESS)
        }
        Err(broken) => {
            println!("{}", broken.told(name, seed)?);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn number(variable: &str, otherwise: u64) -> anyhow::Result<u64> {
    match env::var(variable) {
        Ok(text) => text
            .replace(['_', ','], "")
            .parse()
            .with_context(|| format!("{variable}={text}")),
        Err(_) => Ok(otherwise),
    }
}
