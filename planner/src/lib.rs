//! Every decision about gates and releases, and nothing else: gate verdicts, batch arithmetic, the next step of a release or a typed reason for waiting,
//! the way back, and what admission answers to a change of a workload.
//!
//! Pure: no client, clock, file or environment. Facts and `now` are arguments; the same facts always give the same decision, and a decision carried out
//! twice, late or by an old leader does no harm, because every write it asks for names its precondition.
//!
//! - [`template`]: what a version is (content hash of a pod template).
//! - [`deployment`]: the fields of a Deployment that decide, read once from its JSON; [`share`] resolves its limits.
//! - [`batches`]: cumulative batches; [`steps`]: sub-steps, and the fixed point of the Deployment controller under the pin.
//! - [`gate`]: is a gate open, and why not.
//! - [`release`]: one reconcile pass of one Deployment: [`release::observation`] in, [`release::decision`] out.
//! - [`admission`]: what the webhooks answer to a create or update of a Deployment.

pub mod admission;
mod annotations;
pub mod batches;
pub mod deployment;
pub mod gate;
#[cfg(any(test, feature = "model"))]
pub mod model;
mod patch;
pub mod problem;
pub mod release;
pub mod selection;
pub mod share;
pub mod steps;
pub mod template;
mod text;
