//! A CronJob in a time zone that does not exist.

use sluice_api::Action;

use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    schedule::{Zone, zone},
    view::{Kind, Read},
};

const TIME_ZONE: Read = Read::object("spec.timeZone");

static INFO: RuleInfo = RuleInfo {
    code: "SLU1013",
    name: "cronjob-unknown-time-zone",
    title: "a CronJob in a time zone that does not exist",
    category: Category::Jobs,
    severity: Action::Deny,
    kinds: &[Kind::CronJob],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[TIME_ZONE],
    document: include_str!("cronjob_unknown_time_zone.md"),
};

struct CronjobUnknownTimeZone;

pub(in crate::rules) const RULE: &dyn Rule = &CronjobUnknownTimeZone;

impl Rule for CronjobUnknownTimeZone {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let field = case.field(TIME_ZONE);
        if field.is_absent() {
            return;
        }
        let passes = match field.text().map(zone) {
            Some(Zone::Known) => return,
            Some(Zone::Unknown(Some(near))) => {
                format!("the name of a time zone; did you mean {near}?")
            }
            Some(Zone::Unknown(None)) | None => {
                "the name of a time zone, such as Europe/Berlin or Etc/UTC".to_owned()
            }
        };
        report.field(case.view, TIME_ZONE, &field, passes);
    }
}
