//! A model of what Kubernetes does with a Deployment, for property tests and for comparison with traces of the real controllers.
//!
//! [`native`] is the Deployment controller (paused, scaling in proportion, rolling update, recreate, clean-up of unhealthy and old ReplicaSets) and the
//! ReplicaSet controller. It is written from their rules and shares no code with the planner but the resolution of limits.

pub mod native;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod random;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_undone;
#[cfg(test)]
mod stories_unseen;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod world;
