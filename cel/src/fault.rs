//! Why an evaluation has no answer.

use std::fmt;

/// Why there is no answer. None of them is a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A fact that the expression asks for is not at hand.
    Missing {
        /// Which.
        what: String,
    },
    /// The expression failed on this object.
    Failed {
        /// What happened.
        message: String,
        /// Where in the text, counted from one.
        line: usize,
        /// Where in the line, in characters, counted from one.
        column: usize,
    },
    /// It used up its budget.
    Spent {
        /// Of what: steps or bytes.
        what: &'static str,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { what } => write!(f, "{what} not known"),
            Self::Failed {
                message,
                line,
                column,
            } => write!(f, "{message} (line {line}, column {column})"),
            Self::Spent { what } => write!(f, "used up its budget of {what}"),
        }
    }
}

impl std::error::Error for Fault {}
