//! Lists and maps by what one can ask them, whichever way they are held.

use sluice_tree::{Key, Map, Value as Json};

use super::{Value, compare_keys};

impl<'a> Value<'a> {
    /// How many elements a list or map has.
    pub(crate) fn length(&self) -> Option<usize> {
        match self {
            Self::List(list) => Some(list.len()),
            Self::JsonList(list) => Some(list.len()),
            Self::Map(map) => Some(map.len()),
            Self::JsonMap(map) => Some(present(map).count()),
            _ => None,
        }
    }

    /// How many entries have to be looked at to count them: `null` ones of an object too.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::JsonMap(map) => map.len(),
            other => other.length().unwrap_or(0),
        }
    }

    /// The elements of a list.
    pub(crate) fn elements(&self) -> Option<Elements<'a>> {
        match self {
            Self::List(list) => Some(Elements::Own(list.iter())),
            Self::JsonList(list) => Some(Elements::Json(list.iter())),
            _ => None,
        }
    }

    /// The element at a place of a list.
    pub(crate) fn element(&self, place: usize) -> Option<Value<'a>> {
        match self {
            Self::List(list) => list.get(place).copied(),
            Self::JsonList(list) => list.get(place).map(Value::of_json),
            _ => None,
        }
    }

    /// The entries of a map, ordered by key.
    pub(crate) fn entries(&self) -> Option<Entries<'a>> {
        match self {
            Self::Map(map) => Some(Entries::Own(map.iter())),
            Self::JsonMap(map) => Some(Entries::Json(map.iter())),
            _ => None,
        }
    }

    /// The value of a key of a map; `None` when the map does not have it or this is no map.
    pub(crate) fn lookup(&self, key: &Value<'_>) -> Option<Value<'a>> {
        match self {
            Self::Map(map) => map
                .binary_search_by(|(own, _)| compare_keys(own, key))
                .ok()
                .and_then(|at| map.get(at))
                .map(|(_, value)| *value),
            Self::JsonMap(map) => key.as_str().and_then(|name| field(map, name)),
            _ => None,
        }
    }
}

/// The field of a JSON object; `null` is absent.
pub(crate) fn field<'a>(map: &'a Map, name: &str) -> Option<Value<'a>> {
    map.get(name)
        .filter(|value| !value.is_null())
        .map(Value::of_json)
}

fn present(map: &Map) -> impl Iterator<Item = (&Key, &Json)> {
    map.iter().filter(|(_, value)| !value.is_null())
}

/// Elements of a list.
pub(crate) enum Elements<'a> {
    Own(std::slice::Iter<'a, Value<'a>>),
    Json(std::slice::Iter<'a, Json>),
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        match self {
            Self::Own(list) => list.next().copied(),
            Self::Json(list) => list.next().map(Value::of_json),
        }
    }
}

/// Entries of a map.
pub(crate) enum Entries<'a> {
    Own(std::slice::Iter<'a, (Value<'a>, Value<'a>)>),
    Json(sluice_tree::Iter<'a>),
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Value<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Own(map) => map.next().copied(),
            Self::Json(map) => map
                .find(|(_, value)| !value.is_null())
                .map(|(key, value)| (Value::Str(key), Value::of_json(value))),
        }
    }
}
