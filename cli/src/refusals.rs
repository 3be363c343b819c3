//! The refusals of releases, explained: what each means and what to do.

use serde::Serialize;
use sluice_api::reason::RefusalReason;

/// One refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Its stable code.
    pub code: &'static str,
    /// Its stable name.
    pub name: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to do.
    pub way_out: &'static str,
}

impl Refusal {
    /// The refusal as a page.
    #[must_use]
    pub fn markdown(&self) -> String {
        format!(
            "# {} {}\n\n{}\n\n## What to do\n{}\n",
            self.code, self.name, self.means, self.way_out
        )
    }
}

/// The page about all of them.
#[must_use]
pub fn page() -> String {
    let mut text = String::from(
        "# Refusals of releases\n\nGenerated from code (`cli/src/refusals.rs`); `sluice explain CODE` prints the same. Findings of rules are in [rules.md](rules.md).\n",
    );
    for refusal in all() {
        text.push_str(&format!(
            "\n## {} {}\n{}\n\n{}\n",
            refusal.code, refusal.name, refusal.means, refusal.way_out
        ));
    }
    text
}

/// Every refusal, in the order of the codes.
#[must_use]
pub fn all() -> Vec<Refusal> {
    [
        RefusalReason::GateNotOpen,
        RefusalReason::TemplateDenied,
        RefusalReason::Locked,
        RefusalReason::UnfinishedRollout,
        RefusalReason::NotHeld,
        RefusalReason::StateChanged,
        RefusalReason::BecomesOwned,
    ]
    .map(of)
    .to_vec()
}

const fn of(reason: RefusalReason) -> Refusal {
    match reason {
        RefusalReason::GateNotOpen => Refusal {
            code: "SLU0001",
            name: "gate-not-open",
            means: "A gate guards this workload and is closed, or nobody can prove that it is open: a probe fails, its proof is too old, or the probe engine\nitself is not alive. Only a fresh pass of everything the gate requires opens it. Changes that start no release (scaling, labels) are not affected.",
            way_out: "`sluice gate get NAME` says which probe and what it saw. Mend that, or wait until it passes again, and apply again.\nA return to the last version that was proved well is always let in.",
        },
        RefusalReason::TemplateDenied => Refusal {
            code: "SLU0002",
            name: "template-denied",
            means: "This very pod template was released before and rolled back. It is remembered by its content, so it does not matter by which way it comes\nagain: `kubectl apply`, `kubectl rollout undo`, a GitOps sync.",
            way_out: "Release something else. If the fault lay elsewhere and is mended: `sluice release retry RELEASE` (needs the verb `retry`) lets it in again.",
        },
        RefusalReason::Locked => Refusal {
            code: "SLU0003",
            name: "locked",
            means: "The last release was rolled back and the stable version still fails: the release was not, or not alone, to blame. Further releases would only\nadd to the confusion, so the workload is locked.",
            way_out: "Find out what else changed: a dependency, configuration, the cluster. Then `sluice release retry RELEASE` unlocks it.",
        },
        RefusalReason::UnfinishedRollout => Refusal {
            code: "SLU0004",
            name: "unfinished-rollout",
            means: "The gate would hold this release at zero new pods for a while, but an earlier rollout of the workload is not finished. Under a hold, scaling the\nworkload would add pods of that unfinished version.",
            way_out: "Wait until the running rollout has finished (`kubectl rollout status`), or put the last good version back, then apply again.",
        },
        RefusalReason::NotHeld => Refusal {
            code: "SLU0005",
            name: "not-held",
            means: "The pod template changes and a rollout plan applies, but the request does not carry the hold that Sluice's mutating webhook sets. Without it the\nbatches could not be kept.",
            way_out: "Apply again: mostly the webhook was just starting. If it stays: another webhook takes the hold away, or Sluice's configuration was changed by hand.",
        },
        RefusalReason::StateChanged => Refusal {
            code: "SLU0006",
            name: "state-changed",
            means: "The request changes annotations that only Sluice writes (`sluice.dev/hold`, `sluice.dev/originals`, `sluice.dev/denied`). They are the record by\nwhich a release is stepped and taken back.",
            way_out: "Leave these annotations out of your manifests. To stop or repeat a release: `sluice release abort`, `sluice release retry`.",
        },
        RefusalReason::BecomesOwned => Refusal {
            code: "SLU0007",
            name: "becomes-owned",
            means: "A warning, never a refusal. The workload is guarded by a gate or a rollout plan and gets a controller as its owner (`ownerReferences` with\n`controller: true`). What a controller owns is its owner's business: from the next change on nothing about it is judged, held or stepped.\nThe controller of Sluice says the same in an Event on the workload and counts it in `sluice_workloads_not_governed`.",
            way_out: "If an operator adopts the workload on purpose, gate what makes the operator write. If not, take the owner reference away.",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_those_of_the_reasons() {
        let reasons = [
            "GateNotOpen",
            "TemplateDenied",
            "Locked",
            "UnfinishedRollout",
            "NotHeld",
            "StateChanged",
            "BecomesOwned",
        ];
        for (place, (refusal, reason)) in all().iter().zip(reasons).enumerate() {
            assert_eq!(refusal.code, format!("SLU{:04}", place + 1));
            let words: String = refusal
                .name
                .split('-')
                .map(|word| word[..1].to_uppercase() + &word[1..])
                .collect();
            assert_eq!(words, reason);
        }
    }
}
