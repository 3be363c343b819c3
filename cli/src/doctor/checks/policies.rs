//! Whether every replica of the webhook judges by the same policies, and by all of them.

use super::{Check, Facts, Findings, READ, known};
use crate::outcome::Outcome;

/// See the module.
pub struct Policies;

impl Check for Policies {
    fn name(&self) -> &'static str {
        "policies"
    }

    fn asks(&self) -> &'static str {
        "are the policies loaded, and the same, in every replica of the webhook?"
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let Some(replicas) = known(&facts.replicas, findings, READ) else {
            return;
        };
        let pods = "kubectl -n sluice-system get pods -l app.kubernetes.io/name=sluice-webhook";
        for line in replicas.differences() {
            match replicas.outcome() {
                Outcome::No => findings.broken(
                    line,
                    "wait a minute and look again; if they stay different: kubectl -n sluice-system rollout restart deployment/sluice-webhook, and give every replica the same policies.folder",
                ),
                _ => findings.unknown(line, pods),
            }
        }
        for said in replicas.replicas.iter().filter_map(|one| one.said.as_ref()) {
            if !said.quarantined.is_empty() {
                findings.broken(
                    format!(
                        "replica {} judges by an earlier state of its policy folder: it cannot use {}",
                        said.replica,
                        said.quarantined.join(", ")
                    ),
                    "mend these files: `sluice policy test` and `sluice check --policies FOLDER` say what is wrong with them",
                );
            }
            if said.left_out > 0 {
                findings.broken(
                    format!(
                        "replica {} leaves {} policies or exceptions of the cluster out as broken",
                        said.replica, said.left_out
                    ),
                    "kubectl get policies.sluice.dev,policyexceptions.sluice.dev -A: the condition Accepted says what is wrong with them",
                );
            }
        }
        if replicas.outcome() == Outcome::Yes
            && let Some(said) = replicas.replicas.iter().find_map(|one| one.said.as_ref())
        {
            findings.fine(format!(
                "{} replicas judge by {} policies, set {}",
                replicas.replicas.len(),
                said.policies,
                said.digest.get(..12).unwrap_or(&said.digest)
            ));
        }
    }
}
