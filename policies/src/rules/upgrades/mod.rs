//! `SLU7…`: whether it outlives an upgrade of the cluster.

pub(super) mod api_version_deprecated;
pub(super) mod api_version_removed;
mod table;
mod target;

pub(super) const TARGET_VERSION: &str = target::NAME;
