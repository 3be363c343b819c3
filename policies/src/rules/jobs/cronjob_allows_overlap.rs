//! A CronJob that starts a run beside the one before.

use sluice_api::Action;

use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const CONCURRENCY: Read = Read::object("spec.concurrencyPolicy");

static INFO: RuleInfo = RuleInfo {
    code: "SLU1002",
    name: "cronjob-allows-overlap",
    title: "a CronJob starts runs beside runs that have not ended",
    category: Category::Jobs,
    severity: Action::Deny,
    kinds: &[Kind::CronJob],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[CONCURRENCY],
    document: include_str!("cronjob_allows_overlap.md"),
};

struct CronjobAllowsOverlap;

pub(in crate::rules) const RULE: &dyn Rule = &CronjobAllowsOverlap;

impl Rule for CronjobAllowsOverlap {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let field = case.field(CONCURRENCY);
        if !matches!(field.text(), Some("Forbid" | "Replace")) {
            report.field(case.view, CONCURRENCY, &field, "Forbid or Replace");
        }
    }
}
