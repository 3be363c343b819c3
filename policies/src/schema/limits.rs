//! What the definition of a custom kind asks beyond types: required fields, enumerations, bounds.
//!
//! Patterns, `format`s without a type of their own, and CEL rules are left to the API server: what is not read here is not refused here.

use sluice_tree::Value;

use super::{custom::CustomType, words::described};

/// What is broken: the field that is missing (`None`: the value itself), what was found, what would pass.
type Broken<'a> = (Option<&'a str>, String, String);

/// What a value breaks of its own schema; its parts are asked for by themselves.
pub(super) fn broken<'a>(custom: CustomType<'a>, value: &Value, hidden: bool) -> Vec<Broken<'a>> {
    let schema = custom.schema();
    let mut broken: Vec<Broken<'a>> = Vec::new();
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            if let Some(name) = name.as_str()
                && fields.get(name).is_none_or(Value::is_null)
                // a default is filled in before anything is refused
                && schema["properties"][name].get("default").is_none()
            {
                broken.push((
                    Some(name),
                    "absent".into(),
                    "a value: it is required".into(),
                ));
            }
        }
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
        && !value.is_null()
    {
        let words: Vec<String> = allowed.iter().take(12).map(plain).collect();
        let more = if allowed.len() > words.len() {
            ", …"
        } else {
            ""
        };
        broken.push((
            None,
            described(value, hidden),
            format!("one of {}{more}", words.join(", ")),
        ));
        return broken;
    }
    let measured = match value {
        Value::Number(number) => number
            .as_f64()
            .map(|number| (number, "minimum", "maximum", "")),
        Value::String(text) => Some((
            size(text.chars().count()),
            "minLength",
            "maxLength",
            " characters",
        )),
        Value::Array(items) => Some((size(items.len()), "minItems", "maxItems", " items")),
        Value::Object(fields) => Some((
            size(fields.len()),
            "minProperties",
            "maxProperties",
            " entries",
        )),
        Value::Null | Value::Bool(_) => None,
    };
    if let Some((amount, least, most, unit)) = measured {
        let found = || match value {
            Value::Number(_) => described(value, hidden),
            _ => format!("{amount}{unit}"),
        };
        let exclusive = |key: &str| schema[key] == true;
        if let Some(bound) = schema[least].as_f64() {
            if least == "minimum" && exclusive("exclusiveMinimum") {
                if amount <= bound {
                    broken.push((None, found(), format!("more than {bound}")));
                }
            } else if amount < bound {
                broken.push((None, found(), format!("at least {bound}{unit}")));
            }
        }
        if let Some(bound) = schema[most].as_f64() {
            if most == "maximum" && exclusive("exclusiveMaximum") {
                if amount >= bound {
                    broken.push((None, found(), format!("less than {bound}")));
                }
            } else if amount > bound {
                broken.push((None, found(), format!("at most {bound}{unit}")));
            }
        }
    }
    broken
}

fn size(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
