//! A CronJob that runs more often than allowed.

use sluice_api::{Action, Duration};

use crate::{
    rule::{Case, Category, Parameter, RawFinding, Report, Rule, RuleInfo, SpanParameter},
    schedule::Schedule,
    view::{Kind, Read},
};

const SCHEDULE: Read = Read::object("spec.schedule");

static LEAST: SpanParameter = SpanParameter {
    name: "minPeriod",
    // the name of a Job carries the minute of its run: a second one in the same minute cannot be created
    default: 60,
    least: 1,
    most: 366 * 24 * 3600,
    meaning: "the shortest time between two runs that passes",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU1012",
    name: "cronjob-too-frequent",
    title: "a CronJob runs more often than allowed",
    category: Category::Jobs,
    severity: Action::Deny,
    kinds: &[Kind::CronJob],
    parameters: &[Parameter::Span(&LEAST)],
    ordered: &[],
    facts: &[],
    reads: &[SCHEDULE],
    document: include_str!("cronjob_too_frequent.md"),
};

struct CronjobTooFrequent;

pub(in crate::rules) const RULE: &dyn Rule = &CronjobTooFrequent;

impl Rule for CronjobTooFrequent {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let field = case.field(SCHEDULE);
        let Some(Ok(schedule)) = field.text().map(Schedule::parse) else {
            return;
        };
        let Some(period) = schedule.period() else {
            return;
        };
        let least = u64::try_from(case.seconds(&LEAST)).unwrap_or_default();
        if period.shortest < least {
            let span = Duration::from_secs;
            report.add(RawFinding {
                // a greater measure is worse
                measure: Some(-i128::from(period.shortest)),
                ..RawFinding::at(
                    case.view.path(SCHEDULE),
                    format!("{}, runs {} apart", field.found(), span(period.shortest)),
                    format!("at least {} between two runs", span(least)),
                )
            });
        }
    }
}
