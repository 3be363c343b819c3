//! `SLU9…`: whether the object can be read at all.

pub(super) mod malformed_workload;
