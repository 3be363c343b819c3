//! `SLU3…`: whether it can be rolled out safely.

pub(super) mod deployment_without_readiness_probe;
