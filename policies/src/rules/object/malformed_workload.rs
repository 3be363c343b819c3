//! A workload whose parts are missing or of the wrong type, so that no other rule can look into it.

use sluice_api::Action;
use sluice_tree::Value;

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
    reads: &[Read::object("spec"), Read::object("template")],
    document: include_str!("malformed_workload.md"),
};

struct MalformedWorkload;

pub(in crate::rules) const RULE: &dyn Rule = &MalformedWorkload;

impl Rule for MalformedWorkload {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let Ok(pod) = pod_spec(case, report) else {
            return;
        };
        let prefix = case.view.prefix(Anchor::Pod).unwrap_or_default();
        let passes = "a list of containers";
        let none = match pod.and_then(|pod| lookup(pod, "containers")) {
            None => Some("absent"),
            Some(Value::Array(list)) if list.is_empty() => Some("an empty list"),
            Some(list) => {
                items(report, &format!("{prefix}.containers"), list, passes);
                None
            }
        };
        if let Some(found) = none {
            report.add(RawFinding::at(
                format!("{prefix}.containers"),
                found,
                "a list with at least one container",
            ));
        }
        if let Some(list) = pod.and_then(|pod| lookup(pod, "initContainers")) {
            items(report, &format!("{prefix}.initContainers"), list, passes);
        }
    }
}

/// Something of the wrong type is in the way, and was reported.
struct InTheWay;

/// The `PodSpec`; `None` where it, or what it lies in, is absent. API defaults may make parts of the way, so where it ends says nothing.
fn pod_spec<'a>(case: &Case<'a>, report: &mut Report) -> Result<Option<&'a Value>, InTheWay> {
    let Some(prefix) = case.view.prefix(Anchor::Pod) else {
        return Ok(None);
    };
    let ends = prefix
        .match_indices('.')
        .map(|(at, _)| at)
        .chain([prefix.len()]);
    let mut pod = None;
    for path in ends.filter_map(|end| prefix.get(..end)) {
        pod = case.view.written(Read::object(path));
        match pod {
            None => return Ok(None),
            Some(Value::Object(_)) => {}
            Some(other) => {
                report.add(RawFinding::at(
                    path.to_owned(),
                    field_text(other),
                    "an object",
                ));
                return Err(InTheWay);
            }
        }
    }
    Ok(pod)
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
