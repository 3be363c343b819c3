//! Why an object of ours cannot work: what its schema cannot say. Admission, controller and `sluice check` print the same words.

use std::fmt;

/// One reason why an object cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field in the object, such as `spec.batches[2]`.
    pub path: String,
    /// What was found there.
    pub found: String,
    /// What would pass.
    pub passes: String,
}

impl Problem {
    pub(crate) fn new(
        path: impl Into<String>,
        found: impl fmt::Display,
        passes: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            found: found.to_string(),
            passes: passes.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; passes: {}", self.path, self.found, self.passes)
    }
}
