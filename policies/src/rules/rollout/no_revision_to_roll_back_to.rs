//! A workload that keeps none of its old revisions.

use sluice_api::Action;

use super::super::bounds::require;
use crate::{
    rule::{Case, Category, IntParameter, Parameter, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const HISTORY: Read = Read::object("spec.revisionHistoryLimit");

static LEAST: IntParameter = IntParameter {
    name: "minRevisionHistory",
    default: 1,
    least: 1,
    most: 100,
    meaning: "the least `revisionHistoryLimit` that passes",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3009",
    name: "no-revision-to-roll-back-to",
    title: "nothing is left of the release before",
    category: Category::RolloutSafety,
    severity: Action::Deny,
    kinds: &[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet],
    parameters: &[Parameter::Int(&LEAST)],
    ordered: &[],
    facts: &[],
    reads: &[HISTORY],
    document: include_str!("no_revision_to_roll_back_to.md"),
};

struct NoRevisionToRollBackTo;

pub(in crate::rules) const RULE: &dyn Rule = &NoRevisionToRollBackTo;

impl Rule for NoRevisionToRollBackTo {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let least = case.int(&LEAST);
        require(case, report, HISTORY, least..=i64::MAX, || {
            format!("at least {least}")
        });
    }
}
