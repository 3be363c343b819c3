//! `SLU4…`: whether what it names is there.
//!
//! These rules look at other objects, which may come a moment later or with the same change: shipped policies warn, and a dry-run never denies.

mod named;
mod sources;

pub(super) mod autoscaler_target_not_found;
pub(super) mod configmap_not_found;
pub(super) mod disruption_budget_selects_nothing;
pub(super) mod image_pull_secret_not_found;
pub(super) mod ingress_backend_not_found;
pub(super) mod ingress_tls_secret_not_found;
pub(super) mod persistent_volume_claim_not_found;
pub(super) mod priority_class_not_found;
pub(super) mod probe_port_not_found;
pub(super) mod runtime_class_not_found;
pub(super) mod secret_not_found;
pub(super) mod service_account_not_found;
pub(super) mod service_port_not_found;
pub(super) mod service_selects_nothing;
pub(super) mod statefulset_without_headless_service;
pub(super) mod storage_class_not_found;
