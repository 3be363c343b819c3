//! `sluice install` and `sluice uninstall`.
//!
//! Installing applies the manifests of this very version, in order, and waits for what later ones need. The webhook configurations are not among them: the
//! controller writes them last, when it leads and the webhook answers. Uninstalling takes Sluice out of the way first, then gives every workload back to its
//! owner as they applied it, then removes what was installed. What a Helm release made is left to Helm.

pub mod apply;
mod confirm;
mod helm;
pub mod install;
mod preflight;
pub mod restore;
pub mod supported;
pub mod uninstall;

/// The name under which this program's writes stand in managedFields.
pub const MANAGER: &str = "sluice-install";
