//! A finished Job that stays for ever.

use sluice_api::Action;

use super::super::bounds::require;
use crate::{
    rule::{Case, Category, Parameter, Report, Rule, RuleInfo, SpanParameter, seconds_text},
    view::{Kind, Read},
};

const TTL: Read = Read::job("ttlSecondsAfterFinished");

static MOST: SpanParameter = SpanParameter {
    name: "maxTimeToLive",
    default: 7 * 24 * 3600,
    least: 1,
    most: 366 * 24 * 3600,
    meaning: "the longest `ttlSecondsAfterFinished` that passes",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU1015",
    name: "job-never-cleaned-up",
    title: "a finished Job stays for ever",
    category: Category::Jobs,
    severity: Action::Warn,
    kinds: &[Kind::Job],
    parameters: &[Parameter::Span(&MOST)],
    ordered: &[],
    facts: &[],
    reads: &[TTL],
    document: include_str!("job_never_cleaned_up.md"),
};

struct JobNeverCleanedUp;

pub(in crate::rules) const RULE: &dyn Rule = &JobNeverCleanedUp;

impl Rule for JobNeverCleanedUp {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let most = case.seconds(&MOST);
        require(case, report, TTL, 0..=most, || seconds_text(0, most));
    }
}
