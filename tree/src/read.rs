//! From a text to a tree, in one pass and without a copy of anything but the texts.
//!
//! Items and entries of what is being read lie on two piles that every level shares, so each list and map is made once, at its exact size.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{Key, List, Map, Number, Value};

/// Reads one tree.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader {
    without: Option<(&'static str, &'static str)>,
    most: Option<usize>,
}

impl Reader {
    /// Leaves out one entry of one object at the top, unread.
    #[must_use]
    pub const fn without(mut self, parent: &'static str, name: &'static str) -> Self {
        self.without = Some((parent, name));
        self
    }

    /// Refuses a text of more values.
    #[must_use]
    pub const fn at_most(mut self, values: usize) -> Self {
        self.most = Some(values);
        self
    }

    /// Reads a text.
    ///
    /// # Errors
    /// When it is no JSON, nests too deep, or has more values than it may.
    pub fn read(self, text: &str) -> Result<Value, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = self.take(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }

    /// Reads what a format gives.
    ///
    /// # Errors
    /// Those of the format, and when there are more values than there may be.
    pub fn take<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let mut piles = Piles {
            without: self.without,
            left: self.most.unwrap_or(usize::MAX),
            most: self.most.unwrap_or(usize::MAX),
            items: Vec::new(),
            entries: Vec::new(),
        };
        let seed = Reading {
            piles: &mut piles,
            place: Place::Top,
        };
        seed.deserialize(deserializer)
    }
}

struct Piles {
    without: Option<(&'static str, &'static str)>,
    left: usize,
    most: usize,
    items: Vec<Value>,
    entries: Vec<(Key, Value)>,
}

impl Piles {
    fn count<E: Error>(&mut self) -> Result<(), E> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| E::custom(format_args!("more than {} values", self.most)))?;
        Ok(())
    }
}

/// Where a value stands, as far as something may be left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Parent,
    Below,
}

struct Reading<'p> {
    piles: &'p mut Piles,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.piles.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let Self { piles, place } = self;
        let first = piles.entries.len();
        while let Some(name) = entries.next_key_seed(Name)? {
            let place = match (place, piles.without) {
                (Place::Top, Some((parent, _))) if name == parent => Place::Parent,
                (Place::Parent, Some((_, left_out))) if name == left_out => {
                    entries.next_value::<IgnoredAny>()?;
                    continue;
                }
                _ => Place::Below,
            };
            let value = entries.next_value_seed(Reading {
                piles: &mut *piles,
                place,
            })?;
            piles.entries.push((name, value));
        }
        Ok(Value::Object(Map::off(&mut piles.entries, first)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let piles = self.piles;
        let first = piles.items.len();
        while let Some(item) = items.next_element_seed(Reading {
            piles: &mut *piles,
            place: Place::Below,
        })? {
            piles.items.push(item);
        }
        Ok(Value::Array(List::off(&mut piles.items, first)))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
}

/// The name of an entry.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an entry")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
        Ok(name.into())
    }
}
