//! Whether every part is of one version.

use std::collections::BTreeMap;

use super::{Check, Facts, Findings, READ, known};

/// See the module.
pub struct Versions;

const OWN: &str = env!("CARGO_PKG_VERSION");

impl Check for Versions {
    fn name(&self) -> &'static str {
        "versions"
    }

    fn asks(&self) -> &'static str {
        "are the objects, the controller, every webhook and this program of one version?"
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let mut parts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        if let Some(installed) = known(&facts.installed_version, findings, READ) {
            match installed {
                Some(version) => parts
                    .entry(version)
                    .or_default()
                    .push("the objects".to_owned()),
                None => findings.unknown(
                    "the installation does not say of which version it is",
                    "sluice install writes it down (with Helm: helm upgrade)",
                ),
            }
        }
        if let Some(Some(leader)) = known(&facts.leader, findings, READ) {
            match &leader.version {
                Some(version) => parts
                    .entry(version)
                    .or_default()
                    .push("the controller".to_owned()),
                None => findings.unknown(
                    "the controller does not say of which version it is",
                    "it is older than this program: sluice install",
                ),
            }
        }
        if let Some(replicas) = known(&facts.replicas, findings, READ) {
            for said in replicas.replicas.iter().filter_map(|one| one.said.as_ref()) {
                let who = format!("webhook {}", said.replica);
                parts.entry(&said.version).or_default().push(who);
            }
        }
        let others: Vec<String> = parts
            .iter()
            .filter(|(version, _)| **version != OWN)
            .map(|(version, who)| format!("{} {version}", who.join(", ")))
            .collect();
        if !others.is_empty() {
            findings.broken(
                format!("this program is {OWN}, but {}", others.join("; ")),
                "bring all to one version: `sluice install` of that version (with Helm: helm upgrade); one replica that stays behind: kubectl -n sluice-system rollout status deployment/sluice-webhook",
            );
        } else if let Some(who) = parts.get(OWN) {
            findings.fine(format!("{OWN}: {}", who.join(", ")));
        }
    }
}
