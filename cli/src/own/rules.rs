//! The CEL rules and patterns of our definitions, carried out offline. A test makes sure that none of them is unknown here.

use serde_json::Value;
use sluice_api::Duration;

/// The pattern of a duration.
const DURATION: &str = r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$";

/// Whether a text matches a pattern of our definitions; `None` for a pattern that is not known here.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> Option<bool> {
    (pattern == DURATION).then(|| {
        // beyond the pattern a duration has an upper end, which the deserialiser knows; here only the shape counts
        text.parse::<Duration>().is_ok() || is_duration_shaped(text)
    })
}

fn is_duration_shaped(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if number.len() == rest.len() {
            return false;
        }
        let unit = match number.strip_prefix('.') {
            Some(fraction) => {
                let after = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
                if after.len() == fraction.len() {
                    return false;
                }
                after
            }
            None => number,
        };
        match ["ms", "s", "m", "h"]
            .iter()
            .find_map(|name| unit.strip_prefix(name))
        {
            Some(after) => rest = after,
            None => return false,
        }
    }
    !text.is_empty()
}

/// Whether a CEL rule of our definitions holds for a value; `None` for a rule that is not known here or speaks of an older object.
#[must_use]
pub fn holds(rule: &str, value: &Value) -> Option<bool> {
    let has = |field: &str| value.get(field).is_some_and(|value| !value.is_null());
    Some(match rule {
        "[has(self.http), has(self.prometheus)].filter(x, x).size() == 1" => {
            has("http") != has("prometheus")
        }
        "has(self.url) != has(self.pods)" => has("url") != has("pods"),
        "has(self.pods) == has(self.port)" => has("pods") == has("port"),
        "!has(self.url) || !has(self.path)" => !has("url") || !has("path"),
        "has(self.use) != has(self.cel)" => has("use") != has("cel"),
        "has(self.cel) == has(self.name) && has(self.cel) == has(self.kinds)" => {
            has("cel") == has("name") && has("cel") == has("kinds")
        }
        "has(self.cel) || !(has(self.each) || has(self.message) || has(self.messageExpression) || has(self.variables))" => {
            has("cel")
                || !["each", "message", "messageExpression", "variables"]
                    .into_iter()
                    .any(has)
        }
        "has(self.use) || !has(self.parameters)" => has("use") || !has("parameters"),
        "!has(self.message) || !has(self.messageExpression)" => {
            !has("message") || !has("messageExpression")
        }
        "has(self.name) != has(self.selector)" => has("name") != has("selector"),
        "self.reason.trim() != '' && self.owner.trim() != ''" => {
            let says = |field: &str| {
                value[field]
                    .as_str()
                    .is_some_and(|text| !text.trim().is_empty())
            };
            says("reason") && says("owner")
        }
        "!has(self.container) || !has(self.path)" => !has("container") || !has("path"),
        "self.metadata.name.size() <= 63" => {
            value["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .chars()
                .count()
                <= 63
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(schema: &Value, rules: &mut Vec<String>, patterns: &mut Vec<String>) {
        match schema {
            Value::Object(fields) => {
                for validation in fields
                    .get("x-kubernetes-validations")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                {
                    rules.push(validation["rule"].as_str().unwrap().to_owned());
                }
                if let Some(Value::String(pattern)) = fields.get("pattern") {
                    patterns.push(pattern.clone());
                }
                fields
                    .values()
                    .for_each(|inner| collect(inner, rules, patterns));
            }
            Value::Array(items) => items
                .iter()
                .for_each(|inner| collect(inner, rules, patterns)),
            _ => {}
        }
    }

    #[test]
    fn every_rule_and_pattern_of_our_definitions_is_known() {
        let (mut rules, mut patterns) = (Vec::new(), Vec::new());
        for crd in sluice_api::crd::all() {
            collect(
                &serde_json::to_value(crd).unwrap(),
                &mut rules,
                &mut patterns,
            );
        }
        assert!(rules.len() > 4 && !patterns.is_empty());
        for rule in rules {
            // a rule about the older object has nothing to say about a file
            assert!(
                rule.contains("oldSelf") || holds(&rule, &Value::Null).is_some(),
                "{rule}"
            );
        }
        for pattern in patterns {
            assert!(matches(&pattern, "x").is_some(), "{pattern}");
        }
    }

    #[test]
    fn durations_match_their_pattern() {
        for (text, fits) in [
            ("5s", true),
            ("1h30m", true),
            ("1.5s", true),
            ("0", true),
            ("99999999h", true),
            ("", false),
            ("5", false),
            ("5d", false),
            ("5.s", false),
            ("s", false),
        ] {
            assert_eq!(matches(DURATION, text), Some(fits), "{text}");
        }
    }
}
