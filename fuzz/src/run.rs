//! A run: so many cases of one target, until the first that breaks.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
    time::Duration,
};

use anyhow::Context;

use crate::{
    corpus, measure,
    mutation::Mutator,
    random::Random,
    target::{Target, run_case},
};

/// A case that broke something.
#[derive(Debug)]
pub struct Broken {
    /// Its bytes.
    pub case: Vec<u8>,
    /// How many cases came before it.
    pub before: u64,
    /// What broke.
    pub what: String,
}

impl Broken {
    /// Leaves the case in a file, and tells it all with the way to run it again.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn told(&self, name: &str, seed: u64) -> anyhow::Result<String> {
        let folder = corpus::found();
        let path = folder.join(format!("{name}-{seed}.broken"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, &self.case))
            .with_context(|| path.display().to_string())?;
        Ok(format!(
            "{name} (seed {seed}): BROKEN after {} cases: {}\n{}\n{}",
            self.before,
            self.what,
            self.case.escape_ascii(),
            again(name, &path)
        ))
    }
}

/// How a case is run again.
pub(crate) fn again(name: &str, file: &Path) -> String {
    format!(
        "again: cargo run -p sluice-fuzz --bin sluice-fuzz -- {name} {}",
        file.display()
    )
}

/// What a run has seen.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Cases that ran.
    pub cases: u64,
    /// How far they came.
    pub depths: BTreeMap<&'static str, u64>,
    /// Answers of different kinds.
    pub answers: usize,
    /// Processor time.
    pub time: Duration,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} cases in {:.0?} of processor time, {} kinds of answers",
            self.cases, self.time, self.answers
        )?;
        for (depth, count) in &self.depths {
            // a share in hundredths: enough to see whether cases come through
            write!(f, ", {} % {depth}", count * 100 / self.cases.max(1))?;
        }
        Ok(())
    }
}

/// Runs mutated cases. `before` sees each case before it runs; `after` sees the counts after it, and whether its answer was new.
///
/// # Errors
/// The first case that broke something.
pub fn run(
    target: &mut dyn Target,
    kept: Vec<Vec<u8>>,
    seed: u64,
    cases: u64,
    mut before: impl FnMut(&[u8]),
    mut after: impl FnMut(&Tally, &[u8], bool),
) -> Result<Tally, Box<Broken>> {
    let mut random = Random::new(seed);
    let mut mutator = Mutator::new(target, kept);
    let mut seen = HashSet::new();
    let mut tally = Tally::default();
    let began = measure::processor_time();
    while tally.cases < cases {
        let case = mutator.next(target, &mut random);
        before(&case);
        let answer = match run_case(target, &case) {
            Ok(answer) => answer,
            Err(what) => {
                return Err(Box::new(Broken {
                    case,
                    before: tally.cases,
                    what,
                }));
            }
        };
        tally.cases += 1;
        *tally.depths.entry(answer.depth).or_default() += 1;
        let new = seen.insert(answer.fingerprint);
        if new {
            mutator.keep(&case, &mut random);
        }
        tally.answers = seen.len();
        tally.time = measure::processor_time().saturating_sub(began);
        after(&tally, &case, new);
    }
    Ok(tally)
}
