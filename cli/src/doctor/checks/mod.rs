//! The checks: each looks at the facts alone and says what it sees and what mends it. Pure.

mod admission_table;
mod certificates;
mod clocks;
mod installed;
mod kubernetes;
mod leader;
mod pinned;
mod policies;
mod releases;
mod rights;
#[cfg(test)]
mod tests;
mod versions;
mod webhook;

pub use admission_table::is_ours;

use super::{
    answer::{Answer, Findings},
    facts::{Facts, Known},
};

/// One question about an installation.
pub trait Check: Sync {
    /// Its name in every output; never renamed.
    fn name(&self) -> &'static str;
    /// What it asks, for people.
    fn asks(&self) -> &'static str;
    /// Whether it has a meaning where nothing is installed.
    fn without_installation(&self) -> bool {
        false
    }
    /// Looks at the facts.
    fn examine(&self, facts: &Facts, findings: &mut Findings);
}

/// Every check, in the order in which they are told: what others rely on comes first.
const CHECKS: [&dyn Check; 12] = [
    &kubernetes::Kubernetes,
    &installed::Installed,
    &webhook::Webhook,
    &certificates::CertificatesCheck,
    &admission_table::AdmissionTable,
    &leader::LeaderCheck,
    &versions::Versions,
    &policies::Policies,
    &rights::Rights,
    &clocks::Clocks,
    &releases::Releases,
    &pinned::Pinned,
];

/// Every answer.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Answer> {
    let nothing_installed = nothing_installed(facts);
    CHECKS
        .iter()
        .filter(|check| !nothing_installed || check.without_installation())
        .map(|check| {
            let mut findings = Findings::default();
            check.examine(facts, &mut findings);
            Answer {
                check: check.name(),
                asks: check.asks(),
                result: findings.result(),
                findings: findings.0,
            }
        })
        .collect()
}

/// Whether it is known that there is no installation, not even a rest of one.
fn nothing_installed(facts: &Facts) -> bool {
    facts
        .parts
        .as_ref()
        .is_ok_and(|parts| parts.iter().all(|part| !part.there))
}

/// What a check looks at, or a finding that it cannot be told.
fn known<'a, T>(fact: &'a Known<T>, findings: &mut Findings, repair: &str) -> Option<&'a T> {
    match fact {
        Ok(fact) => Some(fact),
        Err(why) => {
            findings.unknown(why.clone(), repair);
            None
        }
    }
}

/// What helps where something could not be read.
const READ: &str =
    "run it as somebody who may read this: cluster-admin may everything that doctor asks";

/// Some names, the rest counted.
fn some(names: &[String]) -> String {
    const PRINTED: usize = 5;
    let printed = names
        .iter()
        .take(PRINTED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(PRINTED) {
        0 => printed,
        more => format!("{printed} and {more} more"),
    }
}
