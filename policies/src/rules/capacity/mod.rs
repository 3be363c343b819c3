//! `SLU2…`: whether it fits.

pub(super) mod container_without_memory_limit;
pub(super) mod container_without_requests;
pub(super) mod quota_breach;
