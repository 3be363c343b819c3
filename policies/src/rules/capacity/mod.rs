//! `SLU2…`: whether it fits.

pub(super) mod container_without_memory_limit;
pub(super) mod container_without_requests;
pub(super) mod limit_far_above_request;
pub(super) mod limit_range_breach;
pub(super) mod memory_limit_near_peak;
pub(super) mod object_quota_breach;
pub(super) mod quota_breach;
pub(super) mod requests_above_every_node;
pub(super) mod resources_cut;
