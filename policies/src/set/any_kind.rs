//! Rules that go by `apiVersion` and `kind` alone: they judge objects of any kind, known to the view or not.
//!
//! The rest is as for every other rule: an update that leaves alone what the rule reads is not judged, and what the old object had already only warns.

use sluice_tree::Value;

use super::{
    Entry, PolicySet,
    judge::{Applies, Findings, Whose},
};
use crate::{
    Facts, Operation,
    rule::{Header, RawFinding, Report},
    view::lookup,
};

impl PolicySet {
    /// Adds what these rules find; says whether a policy with such a rule applies at all.
    pub(super) fn judge_header(&self, findings: &mut Findings<'_>, facts: &Facts<'_>) -> bool {
        let subject = findings.subject;
        let old = match subject.operation {
            Operation::Create => None,
            Operation::Update => subject.old,
        };
        let mut any = false;
        for entries in &self.any_kind {
            let policy = &self.policies[entries.policy];
            let applies = policy.applies(subject.namespace, facts);
            if applies == Applies::No {
                continue;
            }
            any = true;
            for entry in &entries.rules {
                let reads = entry.rule.info().reads;
                let left_alone = |old: &Value| {
                    reads
                        .iter()
                        .all(|read| lookup(subject.object, read.path) == lookup(old, read.path))
                };
                if old.is_some_and(left_alone) {
                    continue;
                }
                let found = run(entry, subject.object);
                let before = old.map(|old| run(entry, old)).unwrap_or_default();
                findings.settle(Whose::of(entry, policy), policy, applies, found, &before);
            }
        }
        any
    }
}

fn run(entry: &Entry, object: &Value) -> Vec<RawFinding> {
    let mut report = Report::default();
    entry
        .rule
        .judge_header(&Header::of(object, &entry.set), &mut report);
    report.findings
}
