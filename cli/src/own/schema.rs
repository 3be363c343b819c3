//! What the definition of a kind refuses by itself, in the words of the API server: structure, types, bounds, unknown fields and CEL rules.

use serde_json::{Map, Value};
use sluice_api::reading;

use super::rules;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaProblem {
    /// Path of the field.
    pub path: String,
    /// What the API server would say.
    pub message: String,
}

/// Every refusal of an object by its schema.
#[must_use]
pub fn problems(schema: &Value, object: &Value) -> Vec<SchemaProblem> {
    let mut found = Vec::new();
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), object.as_object())
    {
        for (name, value) in fields {
            match name.as_str() {
                // checked by the API server for every kind alike
                "apiVersion" | "kind" | "metadata" => {}
                // a status in a file is ignored by the API server
                "status" => {}
                name => match properties.get(name) {
                    Some(schema) => check(schema, value, name.to_owned(), &mut found),
                    None => found.push(unknown(name.to_owned())),
                },
            }
        }
        missing(schema, fields, "", &mut found);
    }
    if object["metadata"]["name"].as_str().is_none()
        && object["metadata"]["generateName"].as_str().is_none()
    {
        found.push(SchemaProblem {
            path: "metadata".into(),
            message: "metadata.name: Required value: name or generateName is required".into(),
        });
    }
    apply_rules(schema, object, "", &mut found);
    found
}

fn unknown(path: String) -> SchemaProblem {
    let message = format!("unknown field \"{path}\"");
    SchemaProblem { path, message }
}

fn missing(
    schema: &Value,
    fields: &Map<String, Value>,
    path: &str,
    found: &mut Vec<SchemaProblem>,
) {
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if fields.get(name).is_none_or(Value::is_null) {
            let path = join(path, name);
            found.push(SchemaProblem {
                message: format!("{path}: Required value"),
                path,
            });
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn check(schema: &Value, value: &Value, path: String, found: &mut Vec<SchemaProblem>) {
    if value.is_null() {
        // a null is dropped where it is allowed, and everything optional in these schemas allows it or has a default
        return;
    }
    let mut say = |message: String| {
        found.push(SchemaProblem {
            path: path.clone(),
            message: format!("{path}: {message}"),
        })
    };
    if schema["x-kubernetes-int-or-string"] == true {
        if !value.is_string() && !value.is_i64() && !value.is_u64() {
            say(format!(
                "Invalid value: \"{0}\": {path} in body must be of type integer,string: \"{0}\"",
                reading::type_of(value)
            ));
        }
        return;
    }
    let wanted = schema["type"].as_str().unwrap_or("object");
    let fits = wanted == reading::type_of(value) || (wanted == "number" && value.is_number());
    if !fits {
        say(format!(
            "Invalid value: \"{0}\": {path} in body must be of type {wanted}: \"{0}\"",
            reading::type_of(value)
        ));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        say(format!(
            "Unsupported value: {value}: supported values: {}",
            allowed.join(", ")
        ));
        return;
    }
    match value {
        Value::String(text) => check_text(schema, text, &path, found),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            for (bound, word, ok) in [
                (
                    "minimum",
                    "greater",
                    schema["minimum"]
                        .as_f64()
                        .is_none_or(|least| number >= least),
                ),
                (
                    "maximum",
                    "less",
                    schema["maximum"].as_f64().is_none_or(|most| number <= most),
                ),
            ] {
                if !ok {
                    found.push(SchemaProblem {
                        message: format!("{path}: Invalid value: {value}: {path} in body should be {word} than or equal to {}", plain(&schema[bound])),
                        path: path.clone(),
                    });
                }
            }
        }
        Value::Array(items) => {
            let count = items.len() as u64;
            if schema["maxItems"].as_u64().is_some_and(|most| count > most) {
                found.push(SchemaProblem {
                    message: format!(
                        "{path}: Too many: {count}: must have at most {} items",
                        schema["maxItems"]
                    ),
                    path: path.clone(),
                });
            }
            if schema["minItems"]
                .as_u64()
                .is_some_and(|least| count < least)
            {
                found.push(SchemaProblem {
                    message: format!("{path}: Invalid value: {count}: {path} in body should have at least {} items", schema["minItems"]),
                    path: path.clone(),
                });
            }
            for (index, item) in items.iter().enumerate() {
                check(&schema["items"], item, format!("{path}[{index}]"), found);
            }
        }
        Value::Object(fields) => check_map(schema, fields, &path, found),
        Value::Null | Value::Bool(_) => {}
    }
    apply_rules(schema, value, &path, found);
}

fn check_text(schema: &Value, text: &str, path: &str, found: &mut Vec<SchemaProblem>) {
    let mut say = |message: String| {
        found.push(SchemaProblem {
            path: path.to_owned(),
            message: format!("{path}: {message}"),
        })
    };
    let length = text.chars().count() as u64;
    if schema["maxLength"]
        .as_u64()
        .is_some_and(|most| length > most)
    {
        say(format!(
            "Too long: may not be more than {} bytes",
            schema["maxLength"]
        ));
    }
    if schema["minLength"]
        .as_u64()
        .is_some_and(|least| length < least)
    {
        say(format!(
            "Invalid value: \"{text}\": {path} in body should be at least {} chars long",
            schema["minLength"]
        ));
    }
    if schema["format"] == "date-time" && text.parse::<jiff::Timestamp>().is_err() {
        say(format!(
            "Invalid value: \"{text}\": {path} in body must be of type date-time: \"{text}\""
        ));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && rules::matches(pattern, text) == Some(false)
    {
        say(format!(
            "Invalid value: \"{text}\": {path} in body should match '{pattern}'"
        ));
    }
}

fn check_map(
    schema: &Value,
    fields: &Map<String, Value>,
    path: &str,
    found: &mut Vec<SchemaProblem>,
) {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    if schema["maxProperties"]
        .as_u64()
        .is_some_and(|most| fields.len() as u64 > most)
    {
        found.push(SchemaProblem {
            path: path.to_owned(),
            message: format!(
                "{path}: Too many: {}: must have at most {} items",
                fields.len(),
                schema["maxProperties"]
            ),
        });
    }
    let values = &schema["additionalProperties"];
    for (name, value) in fields {
        let path = join(path, name);
        match schema["properties"].get(name) {
            Some(schema) => check(schema, value, path, found),
            None if values.is_object() => check(values, value, path, found),
            None => found.push(unknown(path)),
        }
    }
    missing(schema, fields, path, found);
}

/// Numbers without a fraction are bounds like `1`, not `1.0`.
fn plain(bound: &Value) -> String {
    bound
        .as_f64()
        .map_or_else(|| bound.to_string(), |number| number.to_string())
}

fn apply_rules(schema: &Value, value: &Value, path: &str, found: &mut Vec<SchemaProblem>) {
    for validation in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let rule = validation["rule"].as_str().unwrap_or_default();
        if rules::holds(rule, value) == Some(false) {
            let message = validation["message"]
                .as_str()
                .map_or_else(|| format!("failed rule: {rule}"), str::to_owned);
            let place = if path.is_empty() {
                "<nil>".to_owned()
            } else {
                path.to_owned()
            };
            found.push(SchemaProblem {
                path: path.to_owned(),
                message: format!("{place}: Invalid value: {message}"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(kind: &str, spec: Value) -> Vec<String> {
        let object = json!({"apiVersion": "sluice.dev/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": spec});
        problems(sluice_api::crd::schema_of_kind(kind).unwrap(), &object)
            .into_iter()
            .map(|problem| problem.message)
            .collect()
    }

    /// The expected texts were taken from a real API server.
    #[test]
    fn refuses_in_the_words_of_the_api_server() {
        let http = json!({"target": {"url": "http://a.b.svc/"}});
        for (kind, spec, messages) in [
            ("Probe", json!({"http": http}), vec![]),
            (
                "Probe",
                json!({}),
                vec!["spec: Invalid value: set exactly one check: http or prometheus"],
            ),
            (
                "Probe",
                json!({"http": {"target": {"pods": "Canary", "port": 8080, "url": "http://x"}}}),
                vec!["spec.http.target: Invalid value: set either url, or pods with port"],
            ),
            (
                "Probe",
                json!({"http": {"target": {"pods": "Nobody", "port": 70000}}}),
                vec![
                    "spec.http.target.pods: Unsupported value: \"Nobody\": supported values: \"Canary\", \"Stable\", \"All\"",
                    "spec.http.target.port: Invalid value: 70000: spec.http.target.port in body should be less than or equal to 65535",
                ],
            ),
            (
                "Probe",
                json!({"http": http, "intervall": "5s"}),
                vec!["unknown field \"spec.intervall\""],
            ),
            (
                "Probe",
                json!({"http": http, "interval": 5}),
                vec![
                    "spec.interval: Invalid value: \"integer\": spec.interval in body must be of type string: \"integer\"",
                ],
            ),
            (
                "Gate",
                json!({"components": {}, "before": {"probes": [{"name": "a", "selector": {}}], "maxAge": "3parsecs"}}),
                vec![
                    "spec.before.maxAge: Invalid value: \"3parsecs\": spec.before.maxAge in body should match '^(0|([0-9]+(\\.[0-9]+)?(ms|s|m|h))+)$'",
                    "spec.before.probes[0]: Invalid value: set either name or selector",
                ],
            ),
            ("Gate", json!({}), vec!["spec.components: Required value"]),
            (
                "RolloutPlan",
                json!({"components": {}, "batches": [1, "10%", 1.5]}),
                vec![
                    "spec.batches[2]: Invalid value: \"number\": spec.batches[2] in body must be of type integer,string: \"number\"",
                ],
            ),
            (
                "RolloutPlan",
                json!({"components": {}, "batches": []}),
                vec![
                    "spec.batches: Invalid value: 0: spec.batches in body should have at least 1 items",
                ],
            ),
            (
                "Policy",
                json!({"rules": [{"use": "x", "parameters": {"any": {"thing": 1}}}]}),
                vec![],
            ),
        ] {
            let mut found = said(kind, spec.clone());
            found.sort();
            let mut messages = messages;
            messages.sort_unstable();
            assert_eq!(found, messages, "{kind} {spec}");
        }
    }
}
