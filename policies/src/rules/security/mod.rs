//! `SLU6…`: the security basics.

pub(super) mod container_adds_capabilities;
pub(super) mod container_keeps_capabilities;
pub(super) mod container_may_escalate;
pub(super) mod container_may_run_as_root;
mod context;
pub(super) mod host_namespace;
pub(super) mod host_path_volume;
pub(super) mod host_port;
pub(super) mod privileged_container;
pub(super) mod seccomp_unconfined;
pub(super) mod secret_in_environment;
pub(super) mod service_account_token_mounted;
pub(super) mod writable_root_file_system;
