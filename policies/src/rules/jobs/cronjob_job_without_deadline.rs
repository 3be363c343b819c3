//! A CronJob whose runs may hang for ever.

use sluice_api::Action;

use super::super::bounds::require;
use crate::{
    rule::{Case, Category, Parameter, Report, Rule, RuleInfo, SpanParameter, seconds_text},
    view::{Kind, Read},
};

const DEADLINE: Read = Read::job("activeDeadlineSeconds");

static MOST: SpanParameter = SpanParameter {
    name: "maxActiveDeadline",
    default: 3600,
    least: 1,
    most: 366 * 24 * 3600,
    meaning: "the longest `activeDeadlineSeconds` that passes",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU1003",
    name: "cronjob-job-without-deadline",
    title: "a run of a CronJob may hang for ever",
    category: Category::Jobs,
    severity: Action::Deny,
    kinds: &[Kind::CronJob],
    parameters: &[Parameter::Span(&MOST)],
    ordered: &[],
    facts: &[],
    reads: &[DEADLINE],
    document: include_str!("cronjob_job_without_deadline.md"),
};

struct CronjobJobWithoutDeadline;

pub(in crate::rules) const RULE: &dyn Rule = &CronjobJobWithoutDeadline;

impl Rule for CronjobJobWithoutDeadline {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let most = case.seconds(&MOST);
        require(case, report, DEADLINE, 1..=most, || seconds_text(1, most));
    }
}
