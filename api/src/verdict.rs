//! The three answers a check of reality can give.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a probe, a requirement or a gate says. Only [`Verdict::Pass`] ever opens anything.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum Verdict {
    /// Proved well, freshly.
    Pass,
    /// No proof either way: never run, stale, no data, an error of the prober itself.
    #[default]
    Unknown,
    /// Proved bad.
    Fail,
}

impl Verdict {
    /// Combines requirements that must all pass: one `Fail` fails, else one `Unknown` leaves it unknown.
    /// Nothing required is nothing proved wrong: `Pass`.
    #[must_use]
    pub fn all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().max().unwrap_or(Self::Pass)
    }

    /// The word as it stands in status fields and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "Pass",
            Self::Unknown => "Unknown",
            Self::Fail => "Fail",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{self, Fail, Pass, Unknown};

    #[test]
    fn only_pass_from_everyone_is_a_pass() {
        for (of, all) in [
            (vec![], Pass),
            (vec![Pass, Pass], Pass),
            (vec![Pass, Unknown], Unknown),
            (vec![Unknown, Fail, Pass], Fail),
        ] {
            assert_eq!(Verdict::all(of), all);
        }
    }
}
