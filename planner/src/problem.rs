//! Why an object of ours cannot work: what its schema cannot say. Admission, controller and `sluice check` print the same words.

use std::fmt;

use sluice_api::component::{LabelOperator, LabelSelector};

/// One reason why an object cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field in the object, such as `spec.batches[2]`.
    pub path: String,
    /// What was found there.
    pub found: String,
    /// What would pass.
    pub passes: String,
}

impl Problem {
    pub(crate) fn new(
        path: impl Into<String>,
        found: impl fmt::Display,
        passes: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            found: found.to_string(),
            passes: passes.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; passes: {}", self.path, self.found, self.passes)
    }
}

/// Adds what a label selector says that can never be meant: the API server refuses such a selector elsewhere, but knows nothing of ours.
pub(crate) fn of_selector(
    path: &str,
    selector: Option<&LabelSelector>,
    problems: &mut Vec<Problem>,
) {
    let requirements = selector.map_or(&[][..], |selector| &selector.match_expressions);
    for (place, requirement) in requirements.iter().enumerate() {
        let path = format!("{path}.matchExpressions[{place}].values");
        let operator = requirement.operator;
        let listed = matches!(operator, LabelOperator::In | LabelOperator::NotIn);
        if listed && requirement.values.is_empty() {
            let passes = format!("at least one value with {operator:?}");
            problems.push(Problem::new(path, "no value", passes));
        } else if !listed && !requirement.values.is_empty() {
            let found = requirement.values.join(", ");
            problems.push(Problem::new(
                path,
                found,
                format!("no values with {operator:?}"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_that_can_never_be_meant_is_a_problem() {
        for (operator, values, found) in [
            ("In", json!(["a"]), None),
            (
                "In",
                json!([]),
                Some("no value; passes: at least one value with In"),
            ),
            (
                "NotIn",
                json!([]),
                Some("no value; passes: at least one value with NotIn"),
            ),
            ("Exists", json!([]), None),
            (
                "Exists",
                json!(["a", "b"]),
                Some("a, b; passes: no values with Exists"),
            ),
        ] {
            let selector: LabelSelector = serde_json::from_value(
                json!({"matchExpressions": [{"key": "k", "operator": operator, "values": values}]}),
            )
            .unwrap();
            let mut problems = Vec::new();
            of_selector("spec.x", Some(&selector), &mut problems);
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let wanted: Vec<String> = found
                .map(|found| format!("spec.x.matchExpressions[0].values: {found}"))
                .into_iter()
                .collect();
            assert_eq!(told, wanted, "{operator}");
        }
    }
}
