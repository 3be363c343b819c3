//! A CronJob whose missed runs are started however late.

use sluice_api::Action;

use super::super::bounds::require;
use crate::{
    rule::{Case, Category, Parameter, Report, Rule, RuleInfo, SpanParameter, seconds_text},
    view::{Kind, Read},
};

const DEADLINE: Read = Read::object("spec.startingDeadlineSeconds");

static LEAST: SpanParameter = SpanParameter {
    name: "minStartingDeadline",
    // the CronJob controller looks every ten seconds: a shorter deadline may never be met
    default: 10,
    least: 1,
    most: 24 * 3600,
    meaning: "the shortest `startingDeadlineSeconds` that passes",
};

static MOST: SpanParameter = SpanParameter {
    name: "maxStartingDeadline",
    default: 3600,
    least: 1,
    most: 366 * 24 * 3600,
    meaning: "the longest `startingDeadlineSeconds` that passes",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU1001",
    name: "cronjob-without-deadline",
    title: "a CronJob starts missed runs however late",
    category: Category::Jobs,
    severity: Action::Deny,
    kinds: &[Kind::CronJob],
    parameters: &[Parameter::Span(&LEAST), Parameter::Span(&MOST)],
    ordered: &[("minStartingDeadline", "maxStartingDeadline")],
    facts: &[],
    reads: &[DEADLINE],
    document: include_str!("cronjob_without_deadline.md"),
};

struct CronjobWithoutDeadline;

pub(in crate::rules) const RULE: &dyn Rule = &CronjobWithoutDeadline;

impl Rule for CronjobWithoutDeadline {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let (least, most) = (case.seconds(&LEAST), case.seconds(&MOST));
        require(case, report, DEADLINE, least..=most, || {
            seconds_text(least, most)
        });
    }
}
