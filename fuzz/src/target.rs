//! What is fuzzed, and what comes of a case.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use crate::{
    measure::{self, Bounds},
    random::Random,
};

/// How the texts of a target are built, which says how they are best mutated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One line of tokens.
    Line,
    /// YAML documents.
    Yaml,
    /// One JSON value.
    Json,
}

/// Something that reads texts of others.
pub trait Target {
    /// Its name: that of its folders in `corpus` and `regressions` too.
    fn name(&self) -> &'static str;

    /// How its texts are built.
    fn form(&self) -> Form;

    /// The longest case that is made, in bytes.
    fn longest(&self) -> usize;

    /// Bytes that a case may hold at its peak.
    fn memory(&self) -> usize;

    /// Good and bad texts that the project has anyway.
    fn seeds(&self) -> Vec<String>;

    /// Words that mutations put in.
    fn words(&self) -> Vec<String>;

    /// A text made by the grammar; `None` where a mutation is as good.
    fn generate(&self, _random: &mut Random) -> Option<String> {
        None
    }

    /// Gives a case to the product and looks whether everything that was promised holds.
    ///
    /// # Errors
    /// The promise that was broken.
    fn check(&mut self, case: &[u8]) -> Result<Seen, String>;
}

/// How a case was answered.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// How far it came, for the counts.
    pub depth: &'static str,
    /// The same for answers of the same kind: a case with a new one is worth mutating again.
    pub fingerprint: u64,
}

/// A fingerprint of an answer on its way: what in it depends on the text of the case is left out.
#[derive(Debug, Default)]
pub struct Fingerprint(DefaultHasher);

impl Fingerprint {
    /// Takes in anything of few values.
    pub fn add(&mut self, part: impl Hash) -> &mut Self {
        part.hash(&mut self.0);
        self
    }

    /// Takes in the words of a message, without numbers and without what it quotes.
    pub fn words(&mut self, message: &str) -> &mut Self {
        let mut quote = None;
        for c in message.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '`' | '"') => quote = Some(c),
                (None, c) if c.is_ascii_alphabetic() => c.hash(&mut self.0),
                _ => {}
            }
        }
        self
    }

    /// What was seen.
    #[must_use]
    pub fn seen(&self, depth: &'static str) -> Seen {
        let mut whole = self.0.clone();
        depth.hash(&mut whole);
        Seen {
            depth,
            fingerprint: whole.finish(),
        }
    }
}

/// The processor time that a case may take.
pub const TIME: Duration = Duration::from_secs(1);

/// Runs one case within the bounds of its target.
///
/// # Errors
/// What broke: a promise, a bound, or a panic.
pub fn run_case(target: &mut dyn Target, case: &[u8]) -> Result<Seen, String> {
    let bounds = Bounds {
        time: TIME,
        memory: target.memory(),
    };
    let before = measure::begin();
    let outcome = catch_unwind(AssertUnwindSafe(|| target.check(case)));
    let cost = before.cost();
    let seen = match outcome {
        Ok(answer) => answer?,
        Err(panic) => {
            let text = sluice_runtime::drain::panic_text(panic.as_ref());
            return Err(format!("panicked: {text}"));
        }
    };
    match cost.above(bounds) {
        Some(what) => Err(what),
        None => Ok(seen),
    }
}
