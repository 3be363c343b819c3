//! Values and types in words.

use sluice_tree::Value;

use super::types::{Shape, Type};

/// Characters of a text that a finding prints.
const PRINTED: usize = 60;

/// What a value is, for people.
pub(super) fn described(value: &Value, hidden: bool) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) if hidden => "a boolean".to_owned(),
        Value::Number(_) if hidden => "a number".to_owned(),
        Value::String(_) if hidden => "a string".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => {
            let short: String = text.chars().take(PRINTED).collect();
            let dots = if short.len() < text.len() { "…" } else { "" };
            format!("the string {short:?}{dots}")
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// What a value of a type is, for people.
pub(super) fn noun(shape: Shape<'_>) -> String {
    match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Open => "an object".to_owned(),
        Shape::Text => "a string".to_owned(),
        Shape::Bool => "true or false".to_owned(),
        Shape::Int32 | Shape::Int64 => "a whole number".to_owned(),
        Shape::Number => "a number".to_owned(),
        Shape::IntOrString => "a whole number or a string".to_owned(),
        Shape::Quantity => "a quantity such as 500m or 1Gi".to_owned(),
        Shape::Time => "a time such as 2026-01-31T12:00:00Z".to_owned(),
        Shape::Duration => "a span of time such as 1h30m".to_owned(),
        Shape::Bytes => "base64".to_owned(),
        Shape::Object(object) | Shape::Loose(object) => object.name().map_or_else(
            || "an object".to_owned(),
            |name| format!("an object ({name})"),
        ),
        Shape::List(item) => list_of(item),
        Shape::Map(value) => format!("a map to {}", plural(value.shape())),
    }
}

/// A list of these.
pub(super) fn list_of(item: Type<'_>) -> String {
    format!("a list of {}", plural(item.shape()))
}

fn plural(shape: Shape<'_>) -> String {
    match shape {
        Shape::Any => "values".to_owned(),
        Shape::Open => "objects".to_owned(),
        Shape::Text => "strings".to_owned(),
        Shape::Bool => "booleans".to_owned(),
        Shape::Int32 | Shape::Int64 => "whole numbers".to_owned(),
        Shape::Number => "numbers".to_owned(),
        Shape::IntOrString => "whole numbers or strings".to_owned(),
        Shape::Quantity => "quantities".to_owned(),
        Shape::Time => "times".to_owned(),
        Shape::Duration => "spans of time".to_owned(),
        Shape::Bytes => "base64 texts".to_owned(),
        Shape::Object(object) | Shape::Loose(object) => object
            .name()
            .map_or_else(|| "objects".to_owned(), |name| format!("objects ({name})")),
        Shape::List(_) => "lists".to_owned(),
        Shape::Map(_) => "maps".to_owned(),
    }
}
