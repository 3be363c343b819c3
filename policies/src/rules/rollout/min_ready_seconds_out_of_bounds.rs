//! Pods that count as good the moment they are ready for the first time, or only after very long.

use sluice_api::Action;

use super::stepped::stepped;
use crate::{
    rule::{
        Case, Category, Parameter, RawFinding, Report, Rule, RuleInfo, SpanParameter, seconds_text,
    },
    view::{Int, Kind, Read},
};

const MIN_READY: Read = Read::object("spec.minReadySeconds");

static LEAST: SpanParameter = SpanParameter {
    name: "minMinReady",
    default: 5,
    least: 0,
    most: 3600,
    meaning: "the shortest `minReadySeconds` that passes",
};

static MOST: SpanParameter = SpanParameter {
    name: "maxMinReady",
    default: 600,
    least: 1,
    most: 24 * 3600,
    meaning: "the longest `minReadySeconds` that passes",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3008",
    name: "min-ready-seconds-out-of-bounds",
    title: "a new pod counts as available at its first ready answer, or hardly ever",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet],
    parameters: &[Parameter::Span(&LEAST), Parameter::Span(&MOST)],
    ordered: &[("minMinReady", "maxMinReady")],
    facts: &[],
    reads: &[MIN_READY],
    document: include_str!("min_ready_seconds_out_of_bounds.md"),
};

struct MinReadySecondsOutOfBounds;

pub(in crate::rules) const RULE: &dyn Rule = &MinReadySecondsOutOfBounds;

impl Rule for MinReadySecondsOutOfBounds {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        if stepped(case.view) {
            return;
        }
        let (least, most) = (case.seconds(&LEAST), case.seconds(&MOST));
        let field = case.field(MIN_READY);
        // the API server drops a 0, so both must read the same
        let (value, found) = match field.int() {
            Int::Absent | Int::Is(0) => (Some(0), "0 (API default)".to_owned()),
            Int::Is(value) => (Some(value), field.found()),
            Int::Odd => (None, field.found()),
        };
        if !value.is_some_and(|value| (least..=most).contains(&value)) {
            report.add(RawFinding::at(
                case.view.path(MIN_READY),
                found,
                seconds_text(least, most),
            ));
        }
    }
}
