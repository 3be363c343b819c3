//! Why a policy cannot work.

use std::fmt;

/// One thing that keeps a policy from working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The policy as `namespace/name`; empty where the caller knows it anyway.
    pub policy: String,
    /// Path in the Policy object, such as `spec.rules[1].use`.
    pub path: String,
    /// What was found there.
    pub found: String,
    /// What would pass.
    pub passes: String,
    /// The line of an expression with a caret under the spot.
    pub excerpt: Option<String>,
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.policy.is_empty() {
            write!(f, "policy {}: ", self.policy)?;
        }
        write!(f, "{}: {}; passes: {}", self.path, self.found, self.passes)?;
        for line in self.excerpt.iter().flat_map(|excerpt| excerpt.lines()) {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}
