//! What the policies of the API server find, told like what every other policy finds.

use sluice_api::policy::OnUnknown;

use super::{
    CompiledPolicy, PolicySet,
    judge::{Applies, Findings, Whose},
};
use crate::{Facts, admission};

impl PolicySet {
    /// Adds what they find; says whether any of them is about the object.
    pub(super) fn judge_admission(&self, findings: &mut Findings<'_>, facts: &Facts<'_>) -> bool {
        let Some(all) = self.admission.judge(findings.subject, facts) else {
            return false;
        };
        for found in all {
            let policy = CompiledPolicy {
                title: found.policy.to_owned(),
                namespace: None,
                on_unknown: OnUnknown::Warn,
                selector: None,
            };
            let applies = if found.perhaps {
                Applies::CannotTell
            } else {
                Applies::Yes
            };
            let whose = Whose {
                code: admission::CODE,
                rule: found.policy,
                action: found.action,
                on_unknown: OnUnknown::Warn,
                needs_others: false,
            };
            // no ratchet: the API server has none
            findings.settle(whose, &policy, applies, found.findings, &[]);
        }
        true
    }
}
