//! A JSON schema checker for tests: the keywords of draft 7 that the schemas here use. A keyword that it does not know fails the test.
//!
//! `sarif-schema-2.1.0.json` is the schema of OASIS, as the crate serde-sarif 0.8.0 carries it.

use serde_json::{Map, Value};

/// Everything in `value` that `schema` does not allow, with its path.
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let checker = Checker { root: schema };
    checker.check(schema, value, "$", &mut found);
    found
}

struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
        let keywords = schema.as_object().expect("a schema is an object");
        for (keyword, wanted) in keywords {
            self.keyword(keyword, wanted, keywords, value, path, found);
        }
    }

    fn keyword(
        &self,
        keyword: &str,
        wanted: &Value,
        schema: &Map<String, Value>,
        value: &Value,
        path: &str,
        found: &mut Vec<String>,
    ) {
        let mut violated = |what: String| found.push(format!("{path}: {what}"));
        match keyword {
            // said about the schema, not about the value
            "$schema" | "$id" | "title" | "description" | "default" | "definitions" | "format" => {}
            "$ref" => {
                let pointer = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                let target = self.root.pointer(pointer).unwrap();
                self.check(target, value, path, found);
            }
            "type" => {
                let types = match wanted {
                    Value::Array(types) => types.as_slice(),
                    one => std::slice::from_ref(one),
                };
                if !types
                    .iter()
                    .any(|wanted| is_of_type(value, wanted.as_str().unwrap()))
                {
                    violated(format!("not of type {wanted}"));
                }
            }
            "enum" => {
                if !wanted.as_array().unwrap().contains(value) {
                    violated(format!("{value} is none of {wanted}"));
                }
            }
            "minimum" | "maximum" => {
                let bound = wanted.as_f64().unwrap();
                let outside = value.as_f64().is_some_and(|number| match keyword {
                    "minimum" => number < bound,
                    _ => number > bound,
                });
                if outside {
                    violated(format!("{value} is beyond the {keyword} {wanted}"));
                }
            }
            // none of the fields that have a pattern is written: the checker needs to know none
            "pattern" => assert!(!value.is_string(), "{path}: the checker knows no patterns"),
            "required" => {
                for name in wanted.as_array().unwrap() {
                    if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                        violated(format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, inner) in wanted.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        self.check(inner, value, &format!("{path}.{name}"), found);
                    }
                }
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    if known.is_some_and(|known| known.contains_key(name)) {
                        continue;
                    }
                    match wanted {
                        Value::Bool(true) => {}
                        Value::Bool(false) => {
                            found.push(format!("{path}: {name:?} is not a property"));
                        }
                        inner => self.check(inner, value, &format!("{path}.{name}"), found),
                    }
                }
            }
            "items" => {
                for (place, value) in value.as_array().into_iter().flatten().enumerate() {
                    self.check(wanted, value, &format!("{path}[{place}]"), found);
                }
            }
            "minItems" => {
                if value
                    .as_array()
                    .is_some_and(|items| (items.len() as u64) < wanted.as_u64().unwrap())
                {
                    violated(format!("fewer items than {wanted}"));
                }
            }
            "uniqueItems" => {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let twice = items
                    .iter()
                    .enumerate()
                    .any(|(place, item)| items[..place].contains(item));
                if wanted == &Value::Bool(true) && twice {
                    violated("an item occurs twice".to_owned());
                }
            }
            "anyOf" | "oneOf" => {
                let fitting = wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|inner| {
                        let mut inside = Vec::new();
                        self.check(inner, value, path, &mut inside);
                        inside.is_empty()
                    })
                    .count();
                if fitting == 0 || (keyword == "oneOf" && fitting > 1) {
                    violated(format!("{fitting} of {keyword} fit"));
                }
            }
            other => panic!("{path}: the checker does not know the keyword {other}"),
        }
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the checker does not know the type {other}"),
    }
}

#[test]
fn the_checker_finds_what_a_schema_does_not_allow() {
    use serde_json::json;
    let schema = json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"$ref": "#/definitions/a"}, "b": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": [1, 2]}},
            "c": {"anyOf": [{"required": ["x"]}, {"required": ["y"]}]}},
        "definitions": {"a": {"type": "integer", "minimum": 1}}
    });
    for (value, count) in [
        (json!({"a": 1, "b": [1, 2], "c": {"x": 0}}), 0),
        (json!({}), 1),
        (json!({"a": 0}), 1),
        (json!({"a": "1"}), 1),
        (json!({"a": 1, "e": 1}), 1),
        (json!({"a": 1, "b": []}), 1),
        (json!({"a": 1, "b": [1, 1]}), 1),
        (json!({"a": 1, "b": [3]}), 1),
        (json!({"a": 1, "c": {}}), 1),
        (json!([]), 1),
    ] {
        let found = violations(&schema, &value);
        assert_eq!(found.len(), count, "{value}: {found:?}");
    }
}
