//! What `sluice policy test` and `diff` take beside policies and manifests, as `sluice check` does.

use clap::Args;
use sluice_policies::{
    PolicySet,
    schema::{KubernetesVersion, Schemas},
};

use crate::{
    check::exceptions::{self, Loaded},
    manifest::document::Object,
};

/// Options that the commands share.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Beside {
    /// Files or folders with PolicyExceptions that count, each from its own namespace
    #[arg(long, value_name = "PATH", num_args = 1..)]
    exceptions: Vec<String>,
    /// The Kubernetes version whose kinds the fields are checked against (without it, the newest that is shipped), and for which rules about upgrades judge
    /// where a policy names none
    #[arg(long, value_name = "VERSION")]
    kubernetes_version: Option<KubernetesVersion>,
}

impl Beside {
    /// The exceptions of the command line, and `more`.
    pub(super) fn exceptions(&self, more: Vec<Object>) -> Loaded {
        exceptions::load_with(&self.exceptions, more, exceptions::bounds(None))
    }

    /// The fields of the kinds.
    pub(super) fn schemas(&self) -> Schemas {
        Schemas::new(
            self.kubernetes_version
                .unwrap_or_else(KubernetesVersion::newest),
        )
    }

    /// The policies for the version that was asked for.
    pub(super) fn aimed(&self, set: PolicySet) -> PolicySet {
        match self.kubernetes_version {
            Some(version) => set.for_kubernetes(version),
            None => set,
        }
    }
}
