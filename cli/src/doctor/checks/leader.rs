//! Whether a controller leads, and its probe engine beats.

use sluice_api::{SYSTEM_NAMESPACE, access};

use super::{Check, Facts, Findings, READ, known};

/// See the module.
pub struct LeaderCheck;

impl Check for LeaderCheck {
    fn name(&self) -> &'static str {
        "leader"
    }

    fn asks(&self) -> &'static str {
        "does a controller lead, and does its probe engine beat, before our eyes?"
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let look = format!(
            "kubectl -n {SYSTEM_NAMESPACE} get pods -l app.kubernetes.io/name={0}; kubectl -n {SYSTEM_NAMESPACE} logs -l app.kubernetes.io/name={0}. Until one leads no release moves and no gate opens; what runs is left alone",
            access::CONTROLLER_ACCOUNT
        );
        if let Some(leader) = known(&facts.leader, findings, READ) {
            match leader {
                None => findings.broken("no controller has ever led", look.clone()),
                Some(leader) if leader.holder.is_empty() => {
                    findings.broken("no controller leads", look.clone());
                }
                Some(leader) if leader.heard.is_none() => findings.broken(
                    format!(
                        "{} led, and did not renew its Lease while we looked",
                        leader.holder
                    ),
                    look.clone(),
                ),
                Some(leader) => findings.fine(format!("{} leads", leader.holder)),
            }
        }
        match known(&facts.heartbeat, findings, READ) {
            Some(true) => findings.fine("the probe engine beats"),
            Some(false) => findings.broken(
                "the probe engine does not beat: every gate counts as Unknown",
                look,
            ),
            None => {}
        }
    }
}
