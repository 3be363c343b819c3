//! Objects of sluice.dev: what their schema cannot say. Refused with the path and what would pass; a selector that selects nothing is a warning.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sluice_api::{
    ComponentSelector, Gate, Policy, PolicyException, Probe, RolloutPlan, WorkloadKind,
    gate::ProbeRef, reading,
};
use sluice_planner::{batches, gate};
use sluice_policies::{Exceptions, PolicySet};

use super::{JudgeError, Judged, Knowledge, Outcome, workload};
use crate::{
    envelope::{Reply, Review},
    index::Indexes,
};

/// How many problems one refusal prints, and how long it may be; the rest is counted.
const PRINTED: usize = 10;
const LONGEST: usize = 4096;

/// What is wrong with an object, and what is odd.
#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    warnings: Vec<String>,
}

pub(super) fn judge(
    knowledge: &Knowledge,
    review: &Review<'_>,
    now: Timestamp,
) -> Result<Judged, JudgeError> {
    let raw = review
        .object
        .map_or("null", serde_json::value::RawValue::get);
    let namespace = review.namespace.as_deref().unwrap_or_default();
    let indexes = &knowledge.indexes;
    let found = match review.kind.kind.as_ref() {
        "Probe" => typed(raw, |probe: &Probe| Findings {
            problems: texts(sluice_probes::validate(&probe.spec, &knowledge.targets)),
            warnings: Vec::new(),
        }),
        "Gate" => typed(raw, |of: &Gate| Findings {
            problems: texts(gate::validate_gate(&of.spec)),
            warnings: [
                no_component(indexes, namespace, &of.spec.components, "guards"),
                no_probes(
                    indexes,
                    namespace,
                    "spec.before.probes",
                    &of.spec.before.probes,
                ),
            ]
            .concat(),
        }),
        "RolloutPlan" => typed(raw, |plan: &RolloutPlan| Findings {
            problems: texts(batches::validate_plan(&plan.spec)),
            warnings: [
                no_component(indexes, namespace, &plan.spec.components, "applies to"),
                no_probes(
                    indexes,
                    namespace,
                    "spec.during.probes",
                    &plan.spec.during.probes,
                ),
                no_probes(
                    indexes,
                    namespace,
                    "spec.after.probes",
                    &plan.spec.after.probes,
                ),
            ]
            .concat(),
        }),
        "Policy" => typed(raw, |policy: &Policy| Findings {
            problems: texts(PolicySet::check(&policy.spec)),
            warnings: no_namespace(indexes, namespace, policy),
        }),
        "PolicyException" => typed(raw, |exception: &PolicyException| {
            let (spec, bounds) = (&exception.spec, indexes.exception_bounds());
            Findings {
                problems: texts(Exceptions::check(spec, bounds, now)),
                warnings: Exceptions::odd(spec, bounds, now).into_iter().collect(),
            }
        }),
        _ => return Ok(Judged::nothing(Outcome::NotJudged)),
    };
    let name = review.name.as_deref().unwrap_or_default();
    let refused = refusal(
        &workload::title(&review.kind.kind, name, namespace),
        &found.problems,
    );
    let outcome = match (&refused, found.warnings.is_empty()) {
        (Some(_), _) => Outcome::Denied,
        (None, false) => Outcome::Warned,
        (None, true) => Outcome::Allowed,
    };
    Ok(Judged {
        reply: Reply {
            refused,
            warnings: found.warnings,
            ..Reply::default()
        },
        ..Judged::nothing(outcome)
    })
}

/// Reads the object and looks at it. One that cannot be read has that as its one problem.
fn typed<T: DeserializeOwned>(raw: &str, look: impl FnOnce(&T) -> Findings) -> Findings {
    // by way of a value: a place in the bytes of the review says nothing to whoever wrote the manifest
    let value: serde_json::Value = match serde_json::from_str(raw) {
        Ok(value) => value,
        Err(error) => {
            return Findings {
                problems: vec![format!("-: {error}; passes: an object in JSON")],
                warnings: Vec::new(),
            };
        }
    };
    match reading::read(&value) {
        Ok(object) => look(&object),
        Err(unreadable) => Findings {
            problems: vec![unreadable.to_string()],
            warnings: Vec::new(),
        },
    }
}

fn texts<P: std::fmt::Display>(problems: Vec<P>) -> Vec<String> {
    problems.iter().map(P::to_string).collect()
}

/// One message for all problems; `None` when there are none.
fn refusal(object: &str, problems: &[String]) -> Option<String> {
    if problems.is_empty() {
        return None;
    }
    let count = problems.len();
    let plural = if count == 1 { "problem" } else { "problems" };
    let mut text = format!("{object} cannot work: {count} {plural}");
    let mut printed = 0;
    for problem in problems.iter().take(PRINTED) {
        let line = format!("\n  {}. {problem}", printed + 1);
        if text.len() + line.len() + 80 > LONGEST {
            break;
        }
        text.push_str(&line);
        printed += 1;
    }
    if printed < count {
        text.push_str(&format!(
            "\n  … and {} more: `sluice check` prints all of them.",
            count - printed
        ));
    }
    Some(text)
}

/// A warning when no workload that exists is selected.
fn no_component(
    indexes: &Indexes,
    namespace: &str,
    components: &ComponentSelector,
    does: &str,
) -> Vec<String> {
    let everywhere = namespace == indexes.system_namespace;
    let matches = WorkloadKind::ALL.into_iter().any(|kind| {
        let index = indexes.workloads_of(kind);
        let buckets = if everywhere {
            index
                .buckets()
                .into_iter()
                .map(|(_, bucket)| bucket)
                .collect()
        } else {
            Vec::from_iter(index.bucket(namespace))
        };
        buckets.iter().any(|bucket| {
            bucket
                .iter()
                .any(|(name, labels)| components.matches(kind, name, &labels.0))
        })
    });
    if matches {
        return Vec::new();
    }
    let place = if everywhere {
        "in the cluster".to_owned()
    } else {
        format!("in namespace {namespace}")
    };
    vec![format!(
        "spec.components: selects no workload {place} yet; it {does} what will match"
    )]
}

/// A warning for each reference that finds no probe.
fn no_probes(indexes: &Indexes, namespace: &str, path: &str, probes: &[ProbeRef]) -> Vec<String> {
    probes
        .iter()
        .enumerate()
        .filter_map(|(at, reference)| {
            let place = reference.namespace.as_deref().unwrap_or(namespace);
            let bucket = indexes.probes.bucket(place);
            let found = bucket.is_some_and(|bucket| match (&reference.name, &reference.selector) {
                (Some(name), _) => bucket.get(name).is_some(),
                (None, Some(selector)) => {
                    bucket.values().iter().any(|labels| selector.matches(&labels.0))
                }
                (None, None) => false,
            });
            let what = reference.name.as_ref().map_or_else(
                || "no probe has these labels".to_owned(),
                |name| format!("there is no probe {name}"),
            );
            (!found).then(|| {
                format!("{path}[{at}]: {what} in namespace {place} yet; until then the answer is Unknown, which passes nothing")
            })
        })
        .collect()
}

/// A warning when a policy judges no namespace that exists.
fn no_namespace(indexes: &Indexes, namespace: &str, policy: &Policy) -> Vec<String> {
    let Some(selector) = &policy.spec.matches.namespaces else {
        return Vec::new();
    };
    let matches = if namespace == indexes.system_namespace {
        indexes.namespaces.any(|labels| selector.matches(&labels.0))
    } else {
        indexes
            .namespace_labels(namespace)
            .is_some_and(|labels| selector.matches(&labels))
    };
    if matches {
        return Vec::new();
    }
    vec!["spec.match.namespaces: selects no namespace yet; the policy judges nothing until one matches".to_owned()]
}
