//! A Job that is tried again more often than helps.

use sluice_api::Action;

use super::super::bounds::require;
use crate::{
    rule::{Case, Category, IntParameter, Parameter, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const LIMIT: Read = Read::job("backoffLimit");
const LIMIT_PER_INDEX: Read = Read::job("backoffLimitPerIndex");

static MOST: IntParameter = IntParameter {
    name: "maxBackoffLimit",
    default: 3,
    least: 0,
    most: 100,
    meaning: "the greatest `backoffLimit` (or `backoffLimitPerIndex`) that passes",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU1005",
    name: "job-backoff-too-high",
    title: "a failing Job is tried again more often than helps",
    category: Category::Jobs,
    severity: Action::Deny,
    kinds: &[Kind::Job, Kind::CronJob],
    parameters: &[Parameter::Int(&MOST)],
    ordered: &[],
    facts: &[],
    reads: &[LIMIT, LIMIT_PER_INDEX],
    document: include_str!("job_backoff_too_high.md"),
};

struct JobBackoffTooHigh;

pub(in crate::rules) const RULE: &dyn Rule = &JobBackoffTooHigh;

impl Rule for JobBackoffTooHigh {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let most = case.int(&MOST);
        // with a limit for each index the limit of the whole Job is practically switched off, by the API default too
        let per_index = !case.field(LIMIT_PER_INDEX).is_absent();
        let read = if per_index { LIMIT_PER_INDEX } else { LIMIT };
        require(case, report, read, 0..=most, || match most {
            0 => "0".to_owned(),
            most => format!("at most {most}"),
        });
    }
}
