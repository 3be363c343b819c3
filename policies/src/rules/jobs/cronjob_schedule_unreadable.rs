//! A CronJob whose schedule Kubernetes cannot read.

use sluice_api::Action;

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    schedule::{Schedule, ScheduleError},
    view::{Kind, Read},
};

const SCHEDULE: Read = Read::object("spec.schedule");

static INFO: RuleInfo = RuleInfo {
    code: "SLU1010",
    name: "cronjob-schedule-unreadable",
    title: "a CronJob whose schedule Kubernetes cannot read",
    category: Category::Jobs,
    severity: Action::Deny,
    kinds: &[Kind::CronJob],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[SCHEDULE],
    document: include_str!("cronjob_schedule_unreadable.md"),
};

struct CronjobScheduleUnreadable;

pub(in crate::rules) const RULE: &dyn Rule = &CronjobScheduleUnreadable;

impl Rule for CronjobScheduleUnreadable {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let field = case.field(SCHEDULE);
        let (found, passes) = match field.text().map(Schedule::parse) {
            Some(Ok(_)) => return,
            Some(Err(error)) => (format!("{}: {error}", field.found()), error.passes()),
            // absent, or no text
            None => (field.found(), ScheduleError::Empty.passes()),
        };
        report.add(RawFinding::at(case.view.path(SCHEDULE), found, passes));
    }
}
