//! A deadline that no run of a CronJob can miss.

use sluice_api::{Action, Duration};

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    schedule::Schedule,
    view::{Int, Kind, Read},
};

const SCHEDULE: Read = Read::object("spec.schedule");
const DEADLINE: Read = Read::object("spec.startingDeadlineSeconds");

static INFO: RuleInfo = RuleInfo {
    code: "SLU1014",
    name: "cronjob-deadline-above-period",
    title: "a deadline that no run of a CronJob can miss",
    category: Category::Jobs,
    severity: Action::Warn,
    kinds: &[Kind::CronJob],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[DEADLINE, SCHEDULE],
    document: include_str!("cronjob_deadline_above_period.md"),
};

struct CronjobDeadlineAbovePeriod;

pub(in crate::rules) const RULE: &dyn Rule = &CronjobDeadlineAbovePeriod;

impl Rule for CronjobDeadlineAbovePeriod {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let (schedule, deadline) = (case.field(SCHEDULE), case.field(DEADLINE));
        let Int::Is(seconds) = deadline.int() else {
            return;
        };
        let Some(Ok(read)) = schedule.text().map(Schedule::parse) else {
            return;
        };
        // the controller starts only the latest of the runs it missed, and that is never older than the longest pause between two runs
        let Some(period) = read.period() else {
            return;
        };
        if u64::try_from(seconds).is_ok_and(|seconds| seconds > period.longest) {
            let apart = Duration::from_secs(period.longest);
            report.add(RawFinding::at(
                case.view.path(DEADLINE),
                format!(
                    "{}, and with the schedule {} no run is ever later than {apart}",
                    deadline.found(),
                    schedule.found()
                ),
                format!("below {} seconds ({apart})", period.longest),
            ));
        }
    }
}
