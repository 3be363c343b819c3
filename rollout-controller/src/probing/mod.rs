//! From objects to probe runs and back: which runs must exist ([`desired`]), what gates and probes say ([`judging`]), the heartbeat that backs what
//! was written ([`pulse`]), and which gates were tried in vain ([`attempts`]).
//!
//! Decides: which run a requirement is proved by. Leaves to others: sampling (the probe engine), what a verdict leads to (the planner).
//!
//! Invariants: a requirement without a run is `Unknown`; a gate that shall close and cannot be written as closed stops the heartbeat, so that no reader
//! takes the old state for proof.

pub mod attempts;
pub mod desired;
pub mod judging;
pub mod pulse;
pub mod references;
pub mod statuses;
mod storing;
