//! `SLU3…`: whether it can be rolled out safely.

pub(super) mod autoscaler_fights_replicas;
mod beside;
pub(super) mod deployment_without_readiness_probe;
pub(super) mod disruption_budget_blocks_drains;
pub(super) mod disruption_budget_missing;
pub(super) mod grace_shorter_than_prestop;
pub(super) mod immutable_field_changed;
pub(super) mod liveness_equals_readiness;
pub(super) mod min_ready_seconds_out_of_bounds;
pub(super) mod no_revision_to_roll_back_to;
mod probe;
pub(super) mod progress_deadline_senseless;
mod readiness;
pub(super) mod recreate_with_several_replicas;
pub(super) mod replicas_not_spread;
pub(super) mod rollout_stops_every_pod;
pub(super) mod scaled_to_zero_with_service;
pub(super) mod set_without_readiness_probe;
pub(super) mod single_replica;
pub(super) mod startup_shorter_than_delay;
mod stepped;
