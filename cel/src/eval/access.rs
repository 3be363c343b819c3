//! Fields, keys, places, and the literals of lists and maps.

use super::{Answer, Halt, Raised, Run};
use crate::{
    node::Node,
    value::{Value, compare_keys, field as json_field},
};

impl<'a> Run<'a, '_> {
    pub(super) fn select(&self, of: &Value<'a>, field: &'a str) -> Result<Value<'a>, Raised> {
        match of {
            Value::JsonMap(map) => json_field(map, field)
                .ok_or_else(|| Raised::Failed(format!("no such key: {field}"))),
            Value::Map(_) => of
                .lookup(&Value::Str(field))
                .ok_or_else(|| Raised::Failed(format!("no such key: {field}"))),
            Value::Optional(None) => Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => self.optional_key(inner, &Value::Str(field)),
            other => Err(Raised::Failed(format!(
                "no field {field} on {}",
                other.type_name()
            ))),
        }
    }

    pub(super) fn has(&self, of: &Value<'a>, field: &'a str) -> Result<Value<'a>, Raised> {
        match of {
            Value::JsonMap(_) | Value::Map(_) => {
                Ok(Value::Bool(of.lookup(&Value::Str(field)).is_some()))
            }
            Value::Optional(None) => Ok(Value::Bool(false)),
            Value::Optional(Some(inner)) => self.has(inner, field),
            other => Err(Raised::Failed(format!(
                "no field {field} on {}",
                other.type_name()
            ))),
        }
    }

    pub(super) fn index(&self, of: &Value<'a>, key: &Value<'a>) -> Result<Value<'a>, Raised> {
        match of {
            Value::Optional(None) => return Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => return self.optional_key(inner, key),
            _ => {}
        }
        if of.elements().is_some() {
            let found = place(key)?.and_then(|place| of.element(place));
            // in the words of the API server
            return found.ok_or_else(|| {
                Raised::Failed(match key {
                    Value::Int(place) => format!("index out of bounds: {place}"),
                    Value::Uint(place) => format!("index out of bounds: {place}"),
                    Value::Double(place) => format!("index out of bounds: {place}"),
                    _ => "index out of bounds".to_owned(),
                })
            });
        }
        if of.entries().is_some() {
            return of.lookup(key).ok_or_else(|| match key {
                Value::Str(name) => {
                    let name: String = name.chars().take(80).collect();
                    Raised::Failed(format!("no such key: {name}"))
                }
                _ => Raised::failed("no such key"),
            });
        }
        Err(Raised::overload("[]", &[*of, *key]))
    }

    /// `of.?key`, `of[?key]`: none where it is not there.
    pub(super) fn optional(&self, of: &Value<'a>, key: &Value<'a>) -> Result<Value<'a>, Raised> {
        match of {
            Value::Optional(None) => Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => self.optional_key(inner, key),
            other => self.optional_key(other, key),
        }
    }

    fn optional_key(&self, of: &Value<'a>, key: &Value<'a>) -> Result<Value<'a>, Raised> {
        let found = if of.elements().is_some() {
            place(key)?.and_then(|place| of.element(place))
        } else if of.entries().is_some() {
            of.lookup(key)
        } else {
            return Err(Raised::overload("[?]", &[*of, *key]));
        };
        match found {
            Some(value) => self.scope.some(value),
            None => Ok(Value::Optional(None)),
        }
    }

    pub(super) fn list(&mut self, elements: &'a [(Node, bool)]) -> Answer<'a> {
        let mut values = Vec::with_capacity(elements.len());
        for (element, optional) in elements {
            let value = self.node(element)?;
            if let Some(value) = present(value, *optional, element.at)? {
                values.push(value);
            }
        }
        self.scope
            .list(&values)
            .map_err(|raised| Halt { raised, at: 0 })
    }

    pub(super) fn map(&mut self, at: u32, entries: &'a [(Node, Node, bool)]) -> Answer<'a> {
        let mut values = Vec::with_capacity(entries.len());
        for (key, value, optional) in entries {
            let key = self.node(key)?;
            let found = self.node(value)?;
            if let Some(value) = present(found, *optional, value.at)? {
                values.push((key, value));
            }
        }
        self.map_of(at, values)
    }

    /// A map of entries; keys are what may be keys, each once.
    pub(super) fn map_of(&self, at: u32, mut entries: Vec<(Value<'a>, Value<'a>)>) -> Answer<'a> {
        let failed = |message: String| Halt {
            raised: Raised::Failed(message),
            at,
        };
        for (key, _) in &entries {
            if !matches!(
                key,
                Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Str(_)
            ) {
                return Err(failed(format!("a key that is {}", key.type_name())));
            }
        }
        self.scope
            .charge(entries.len() as u64)
            .map_err(|raised| Halt { raised, at })?;
        entries.sort_by(|(a, _), (b, _)| compare_keys(a, b));
        if entries
            .windows(2)
            .any(|pair| compare_keys(&pair[0].0, &pair[1].0).is_eq())
        {
            return Err(failed("a key a second time".to_owned()));
        }
        self.scope
            .slice(&entries)
            .map(Value::Map)
            .map_err(|raised| Halt { raised, at })
    }
}

/// The value of an entry that may be marked with `?`.
fn present(value: Value<'_>, optional: bool, at: u32) -> Result<Option<Value<'_>>, Halt> {
    match (value, optional) {
        (value, false) => Ok(Some(value)),
        (Value::Optional(inner), true) => Ok(inner.copied()),
        (other, true) => Err(Halt {
            raised: Raised::overload("?", &[other]),
            at,
        }),
    }
}

/// A place in a list; none where there can be no such place.
fn place(key: &Value<'_>) -> Result<Option<usize>, Raised> {
    match key {
        Value::Int(place) => Ok(usize::try_from(*place).ok()),
        Value::Uint(place) => Ok(usize::try_from(*place).ok()),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number within the bounds of u32"
        )]
        Value::Double(place) if place.fract() == 0.0 && (0.0..4e9).contains(place) => {
            Ok(Some(*place as usize))
        }
        other => Err(Raised::Failed(format!(
            "a place that is {}",
            other.type_name()
        ))),
    }
}
