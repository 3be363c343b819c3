//! What stands beside a workload: shared by the rules that look there.

use std::collections::BTreeMap;

use sluice_api::Certainty;
use sluice_tree::Value;

use crate::{
    facts::FactKind,
    rule::{Case, RawFinding, Report},
    view::{Int, Read},
};

pub(super) const REPLICAS: Read = Read::object("spec.replicas");
pub(super) const LABELS: Read = Read::object("spec.template.metadata.labels");
const NAME: Read = Read::object("metadata.name");

/// The name of the object; `None` while the API server is to choose it.
pub(super) fn name<'a>(case: &Case<'a>) -> Option<&'a str> {
    case.view
        .written(NAME)?
        .as_str()
        .filter(|name| !name.is_empty())
}

/// How many pods are asked for; `None` where that is no number.
pub(super) fn replicas(case: &Case<'_>) -> Option<i64> {
    match case.field(REPLICAS).int() {
        Int::Is(replicas) => Some(replicas),
        Int::Absent | Int::Odd => None,
    }
}

/// The labels of the pods; what is no text is left out.
pub(super) fn labels(case: &Case<'_>) -> BTreeMap<String, String> {
    case.view
        .written(LABELS)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str().to_owned(), value.as_str()?.to_owned())))
        .collect()
}

/// Nobody can tell without all objects of these kinds.
pub(super) fn cannot_tell(report: &mut Report, path: String, what: String, kinds: &[FactKind]) {
    let plurals: Vec<&str> = kinds.iter().map(|kind| kind.plural()).collect();
    report.add(RawFinding {
        certainty: Certainty::Unknown,
        ..RawFinding::at(
            path,
            what,
            format!(
                "all {} of the namespace, from the cluster or a file of facts",
                plurals.join(", ")
            ),
        )
    });
}
