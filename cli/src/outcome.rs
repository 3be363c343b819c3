//! Exit codes: 0 yes, 1 no, 2 cannot tell, timed out or bad input.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Yes: nothing refused, open, succeeded, done.
    Yes,
    /// No: refused, closed, rolled back.
    No,
    /// Nobody can tell, the time ran out, or the input cannot be used.
    CannotTell,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Yes => 0,
            Outcome::No => 1,
            Outcome::CannotTell => 2,
        })
    }
}
