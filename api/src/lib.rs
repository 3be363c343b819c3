//! The objects of `sluice.dev/v1alpha1` and the words they share: kinds, conditions, typed reasons, annotations and labels.
//!
//! Decides: how an object is written and stored, and what its schema can refuse by itself (structural schema plus CEL rules).
//! Leaves to others: everything that needs a second object, a clock or a client. No async, no I/O in here.
//!
//! One module per kind; what several kinds share has a module of its own ([`component`], [`duration`], [`batch_size`], [`verdict`], [`condition`]).

// the lint takes the repeated keys inside several `printcolumn(...)` for one attribute written twice
#![allow(clippy::duplicated_attributes)]

pub mod access;
pub mod admission_table;
pub mod annotation;
pub mod batch_size;
pub mod component;
pub mod condition;
pub mod crd;
pub mod duration;
pub mod event;
pub mod finding;
pub mod gate;
pub mod label;
pub mod policy;
pub mod policy_exception;
pub mod probe;
pub mod reading;
pub mod reason;
pub mod release;
pub mod release_name;
pub mod rollout_plan;
mod schema;
pub mod verdict;

pub use batch_size::BatchSize;
pub use component::{ComponentRef, ComponentSelector, WorkloadKind};
pub use condition::Condition;
pub use duration::Duration;
pub use finding::{Certainty, Finding};
pub use gate::{Gate, GateSpec, GateState, GateStatus, WhenClosed};
pub use label::Mode;
pub use policy::{Action, Policy, PolicyRule, PolicySpec, PolicyStatus};
pub use policy_exception::{
    ExceptionSubject, PolicyException, PolicyExceptionSpec, PolicyExceptionStatus,
};
pub use probe::{HttpCheck, HttpTarget, PodSet, Probe, ProbeSpec, ProbeStatus, PrometheusCheck};
pub use release::{Release, ReleasePhase, ReleaseSpec, ReleaseStatus};
pub use rollout_plan::{OnFailure, RolloutMode, RolloutPlan, RolloutPlanSpec, RolloutPlanStatus};
pub use verdict::Verdict;

/// The API group of every kind in this crate.
pub const GROUP: &str = "sluice.dev";
/// The one served and stored version; additive changes only, so no conversion webhook exists.
pub const VERSION: &str = "v1alpha1";
/// The namespace Sluice is installed into unless told otherwise. Objects in it may select workloads of every namespace.
pub const SYSTEM_NAMESPACE: &str = "sluice-system";
