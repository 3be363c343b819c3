//! A workload whose parts are missing or of the wrong type, so that no other rule can look into it.

use serde_json::Value;
use sluice_api::Action;

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Anchor, Kind, Read, field_text, lookup},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU9001",
    name: "malformed-workload",
    title: "parts of the workload are missing or of the wrong type",
    category: Category::Object,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[Read::object("spec")],
    document: include_str!("malformed_workload.md"),
};

struct MalformedWorkload;

pub(in crate::rules) const RULE: &dyn Rule = &MalformedWorkload;

impl Rule for MalformedWorkload {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let Some(pod) = well_formed_pod(case, report) else {
            return;
        };
        let prefix = case.view.prefix(Anchor::Pod).unwrap_or_default();
        let passes = "a list of containers";
        match lookup(pod, "containers") {
            None => report.add(RawFinding::at(
                format!("{prefix}.containers"),
                "absent",
                "a list with at least one container",
            )),
            Some(Value::Array(list)) if list.is_empty() => report.add(RawFinding::at(
                format!("{prefix}.containers"),
                "an empty list",
                "a list with at least one container",
            )),
            Some(list) => items(report, &format!("{prefix}.containers"), list, passes),
        }
        if let Some(list) = lookup(pod, "initContainers") {
            items(report, &format!("{prefix}.initContainers"), list, passes);
        }
    }
}

/// Walks from the object to its `PodSpec` and says what is in the way.
fn well_formed_pod<'a>(case: &Case<'a>, report: &mut Report) -> Option<&'a Value> {
    if let Some(pod) = case.view.part(Anchor::Pod)
        && pod.is_object()
    {
        return Some(pod);
    }
    let prefix = case.view.prefix(Anchor::Pod)?;
    let mut ends: Vec<usize> = prefix.match_indices('.').map(|(at, _)| at).collect();
    ends.push(prefix.len());
    for end in ends {
        let path = prefix.get(..end)?;
        match case.view.written(Read::object(path)) {
            Some(Value::Object(_)) => {}
            Some(other) => {
                report.add(RawFinding::at(
                    path.to_owned(),
                    field_text(other),
                    "an object",
                ));
                return None;
            }
            None => {
                report.add(RawFinding::at(path.to_owned(), "absent", "an object"));
                return None;
            }
        }
    }
    None
}

fn items(report: &mut Report, path: &str, list: &Value, passes: &str) {
    let Some(list) = list.as_array() else {
        report.add(RawFinding::at(path.to_owned(), field_text(list), passes));
        return;
    };
    for (index, item) in list.iter().enumerate() {
        if !item.is_object() {
            report.add(RawFinding::at(
                format!("{path}[{index}]"),
                field_text(item),
                "an object",
            ));
        }
    }
}
