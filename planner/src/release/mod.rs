//! One reconcile pass of one Deployment: [`next`] turns an [`observation::Observation`] into a [`decision::Decision`].

pub mod decision;
pub mod observation;

use decision::Decision;
use observation::Observation;

/// Decides what to do about a Deployment now. Total: every observation leads to a write, a question or named reasons for waiting.
#[must_use]
pub fn next(observation: &Observation) -> Decision {
    let _ = observation;
    Decision {
        status: None,
        action: decision::Action::None,
        wake: None,
        close: Vec::new(),
    }
}
