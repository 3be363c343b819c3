//! From other types and to `serde_json`.

use std::borrow::Cow;

use crate::{List, Map, Number, Text, Value};

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => Self::Number(number),
            Json::String(text) => Self::String(text.into()),
            Json::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Json::Object(entries) => {
                let entries = entries.into_iter();
                Self::Object(entries.map(|(key, value)| (key, value.into())).collect())
            }
        }
    }
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(number.clone()),
            Json::String(text) => Self::String(text.into()),
            Json::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Json::Object(entries) => {
                let entries = entries.iter();
                Self::Object(entries.map(|(key, value)| (key, value.into())).collect())
            }
        }
    }
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::String(text.as_str().to_owned()),
            Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Value::Object(entries) => {
                let entries = entries.iter();
                Self::Object(
                    entries
                        .map(|(key, value)| (key.as_str().to_owned(), value.into()))
                        .collect(),
                )
            }
        }
    }
}

impl From<Value> for serde_json::Value {
    fn from(value: Value) -> Self {
        (&value).into()
    }
}

macro_rules! from {
    ($($source:ty => |$name:ident| $made:expr;)*) => {$(
        impl From<$source> for Value {
            fn from($name: $source) -> Self {
                $made
            }
        }
    )*};
}

from! {
    bool => |value| Self::Bool(value);
    i32 => |number| Self::Number(number.into());
    i64 => |number| Self::Number(number.into());
    u16 => |number| Self::Number(number.into());
    u32 => |number| Self::Number(number.into());
    u64 => |number| Self::Number(number.into());
    usize => |number| Self::Number(number.into());
    f64 => |number| Number::from_f64(number).map_or(Self::Null, Self::Number);
    Number => |number| Self::Number(number);
    &str => |text| Self::String(text.into());
    String => |text| Self::String(text.into());
    &String => |text| Self::String(text.into());
    Cow<'_, str> => |text| Self::String(Text::from(text.as_ref()));
    Text => |text| Self::String(text);
    List => |list| Self::Array(list);
    Map => |map| Self::Object(map);
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T: Clone + Into<Self>> From<&[T]> for Value {
    fn from(items: &[T]) -> Self {
        items.iter().cloned().collect()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}
