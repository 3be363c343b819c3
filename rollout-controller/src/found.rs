//! What one pass works with: gathered by [`crate::gather`], decided on by the planner, carried out by [`crate::execute`].

use std::time::Duration;

use sluice_planner::release::observation::Observation;

use crate::cache::table::Key;

/// A Deployment with something under way, and all that is known about it.
pub struct Found {
    /// Which Deployment.
    pub key: Key,
    /// What the planner sees; the answer to a rehearsal is added by whoever asked.
    pub observation: Observation,
    /// The shortest interval of the probes that this release waits for: whoever waits for a fresh sample looks again after it.
    pub sampling: Duration,
}
