//! Sluice's own kinds in files: what the API server and the webhook would refuse, in the same words, with file, line and column.
//!
//! [`schema`] says what the definitions refuse; what a schema cannot say is asked of the functions that admission and controller use.

pub mod rules;
pub mod schema;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_api::{GROUP, Gate, Policy, PolicyException, Probe, RolloutPlan, VERSION, crd, reading};
use sluice_policies::{ExceptionBounds, Exceptions, PolicySet};
use sluice_probes::validate::TargetRules;

use crate::manifest::{Problem, document::Object};

/// Whether an object is of Sluice's own group.
#[must_use]
pub fn is_own(object: &Object) -> bool {
    object.api_version().split('/').next() == Some(GROUP) && object.api_version().contains('/')
}

/// Whether an object is a test of policies: a file for `sluice policy test`, which no cluster knows.
#[must_use]
pub fn is_test(object: &Object) -> bool {
    object.kind() == "PolicyTest" && object.api_version() == format!("{GROUP}/{VERSION}")
}

/// Every reason why an object of Sluice's own group would be refused or could not work.
#[must_use]
pub fn problems(object: &Object, targets: &TargetRules) -> Vec<Problem> {
    let wanted = format!("{GROUP}/{VERSION}");
    if object.api_version() != wanted {
        return vec![object.problem(
            "apiVersion",
            format!("apiVersion: {}; passes: {wanted}", object.api_version()),
        )];
    }
    let Some(schema) = crd::schema_of_kind(object.kind()) else {
        let kinds: Vec<&str> = crd::kinds().collect();
        return vec![object.problem(
            "kind",
            format!("kind: {}; passes: {}", object.kind(), kinds.join(", ")),
        )];
    };
    let value = &Value::from(&object.value);
    let found = schema::problems(schema, value);
    if !found.is_empty() {
        return found
            .into_iter()
            .map(|problem| object.problem(&problem.path, problem.message))
            .collect();
    }
    let found: Result<Vec<(String, String)>, (String, String)> = match object.kind() {
        "Probe" => read::<Probe>(value).map(|probe| {
            texts(
                sluice_probes::validate::validate(&probe.spec, targets),
                |problem| &problem.path,
            )
        }),
        "Gate" => read::<Gate>(value).map(|gate| {
            texts(sluice_planner::gate::validate_gate(&gate.spec), |problem| {
                &problem.path
            })
        }),
        "RolloutPlan" => read::<RolloutPlan>(value).map(|plan| {
            texts(
                sluice_planner::batches::validate_plan(&plan.spec),
                |problem| &problem.path,
            )
        }),
        "Policy" => read::<Policy>(value)
            .map(|policy| texts(PolicySet::check(&policy.spec), |problem| &problem.path)),
        "PolicyException" => read::<PolicyException>(value).map(|exception| {
            let bounds = ExceptionBounds::default();
            texts(
                Exceptions::check(&exception.spec, &bounds, Timestamp::now()),
                |problem| &problem.path,
            )
        }),
        // Releases are records: nobody writes them by hand, and their schema says all there is to say
        _ => Ok(Vec::new()),
    };
    let found = found.unwrap_or_else(|problem| vec![problem]);
    found
        .into_iter()
        .map(|(path, text)| object.problem(&path, text))
        .collect()
}

fn texts<P: std::fmt::Display>(
    problems: Vec<P>,
    path: impl Fn(&P) -> &str,
) -> Vec<(String, String)> {
    problems
        .iter()
        .map(|problem| (path(problem).to_owned(), problem.to_string()))
        .collect()
}

/// Reads an object; one that cannot be read has that as its one problem, in the words of the webhook.
fn read<T: DeserializeOwned>(object: &Value) -> Result<T, (String, String)> {
    reading::read(object).map_err(|unreadable| (unreadable.path.clone(), unreadable.to_string()))
}
