//! Policies and exceptions of a folder judge beside those of the cluster.
//!
//! Decides: when the folder is looked at and taken in ([`follow`]), and who is told of it ([`tell`]). Leaves to others: what its files mean together
//! ([`sluice_runtime::policy_folder`], as for the controller), and compiling what they say ([`crate::index::rulebook`]).

pub mod follow;
pub mod tell;

pub use sluice_runtime::policy_folder::{Content, InForce, Quarantined, Written};
