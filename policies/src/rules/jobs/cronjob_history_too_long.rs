//! A CronJob that keeps more finished Jobs than anybody reads.

use sluice_api::Action;

use super::super::bounds::require;
use crate::{
    rule::{Case, Category, IntParameter, Parameter, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const SUCCESSFUL: Read = Read::object("spec.successfulJobsHistoryLimit");
const FAILED: Read = Read::object("spec.failedJobsHistoryLimit");

static MOST_SUCCESSFUL: IntParameter = IntParameter {
    name: "maxSuccessful",
    default: 1,
    least: 0,
    most: 1000,
    meaning: "the greatest `successfulJobsHistoryLimit` that passes",
};

static MOST_FAILED: IntParameter = IntParameter {
    name: "maxFailed",
    default: 1,
    least: 0,
    most: 1000,
    meaning: "the greatest `failedJobsHistoryLimit` that passes",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU1004",
    name: "cronjob-history-too-long",
    title: "a CronJob keeps more finished Jobs than needed",
    category: Category::Jobs,
    severity: Action::Deny,
    kinds: &[Kind::CronJob],
    parameters: &[
        Parameter::Int(&MOST_SUCCESSFUL),
        Parameter::Int(&MOST_FAILED),
    ],
    ordered: &[],
    facts: &[],
    reads: &[SUCCESSFUL, FAILED],
    document: include_str!("cronjob_history_too_long.md"),
};

struct CronjobHistoryTooLong;

pub(in crate::rules) const RULE: &dyn Rule = &CronjobHistoryTooLong;

impl Rule for CronjobHistoryTooLong {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for (read, parameter) in [(SUCCESSFUL, &MOST_SUCCESSFUL), (FAILED, &MOST_FAILED)] {
            let most = case.int(parameter);
            require(case, report, read, 0..=most, || match most {
                0 => "0".to_owned(),
                most => format!("at most {most}"),
            });
        }
    }
}
