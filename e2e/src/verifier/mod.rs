//! Judges "never more than planned" from the outside: the full watch history of Deployments, ReplicaSets and Pods in the order in which etcd committed it,
//! and the pods' own answers about what they run. Shares no code with the planner; its arithmetic is its own.
//!
//! - [`history`] records every event of a namespace.
//! - [`judge`] replays them and names every moment that broke the plan.
//! - [`census`] asks the pods themselves.

pub mod census;
pub mod history;
pub mod judge;

pub use history::History;
pub use judge::{Breach, Expected, Size, judge};
