//! A CronJob whose schedule has no day to run on.

use sluice_api::Action;
use sluice_tree::Value;

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    schedule::Schedule,
    view::{Kind, Read},
};

const SCHEDULE: Read = Read::object("spec.schedule");
const SUSPEND: Read = Read::object("spec.suspend");

static INFO: RuleInfo = RuleInfo {
    code: "SLU1011",
    name: "cronjob-never-fires",
    title: "a CronJob whose schedule has no day to run on",
    category: Category::Jobs,
    severity: Action::Deny,
    kinds: &[Kind::CronJob],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[SCHEDULE, SUSPEND],
    document: include_str!("cronjob_never_fires.md"),
};

struct CronjobNeverFires;

pub(in crate::rules) const RULE: &dyn Rule = &CronjobNeverFires;

impl Rule for CronjobNeverFires {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let suspended = case.view.written(SUSPEND).and_then(Value::as_bool) == Some(true);
        let field = case.field(SCHEDULE);
        let Some(Ok(schedule)) = field.text().map(Schedule::parse) else {
            return;
        };
        if schedule.period().is_none() && !suspended {
            let finding = RawFinding::at(
                case.view.path(SCHEDULE),
                format!("{}, at which no day of any year matches", field.found()),
                "a schedule with a day that exists",
            );
            report.add(finding.or("suspend: true for a CronJob that is only started by hand"));
        }
    }
}
