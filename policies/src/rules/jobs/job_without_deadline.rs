//! A Job that may run for ever.

use sluice_api::Action;

use super::super::bounds::require;
use crate::{
    rule::{Case, Category, Parameter, Report, Rule, RuleInfo, SpanParameter, seconds_text},
    view::{Kind, Read},
};

const DEADLINE: Read = Read::job("activeDeadlineSeconds");

static MOST: SpanParameter = SpanParameter {
    name: "maxActiveDeadline",
    default: 24 * 3600,
    least: 1,
    most: 366 * 24 * 3600,
    meaning: "the longest `activeDeadlineSeconds` that passes",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU1006",
    name: "job-without-deadline",
    title: "a Job may hang for ever",
    category: Category::Jobs,
    severity: Action::Deny,
    kinds: &[Kind::Job],
    parameters: &[Parameter::Span(&MOST)],
    ordered: &[],
    facts: &[],
    reads: &[DEADLINE],
    document: include_str!("job_without_deadline.md"),
};

struct JobWithoutDeadline;

pub(in crate::rules) const RULE: &dyn Rule = &JobWithoutDeadline;

impl Rule for JobWithoutDeadline {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let most = case.seconds(&MOST);
        require(case, report, DEADLINE, 1..=most, || seconds_text(1, most));
    }
}
