//! Whether this version of Kubernetes has what Sluice relies on.

use super::{Check, Facts, Findings, READ, known};
use crate::installation::supported::OLDEST;

/// See the module.
pub struct Kubernetes;

impl Check for Kubernetes {
    fn name(&self) -> &'static str {
        "kubernetes"
    }

    fn asks(&self) -> &'static str {
        "does this version of Kubernetes have what Sluice relies on?"
    }

    fn without_installation(&self) -> bool {
        true
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let Some(version) = known(&facts.kubernetes, findings, READ) else {
            return;
        };
        if version.is_supported() {
            findings.fine(format!("Kubernetes {version}"));
        } else {
            findings.broken(
                format!("Kubernetes {version}: Sluice needs {OLDEST} or later"),
                "upgrade the cluster, or take Sluice out: `sluice uninstall`",
            );
        }
    }
}
