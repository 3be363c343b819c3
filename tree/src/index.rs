//! Values by name and by place.

use std::ops::{Index, IndexMut};

use crate::{Key, Map, Text, Value, value::NULL};

/// A name in an object, or a place in a list.
pub trait At {
    /// What is there.
    fn of(self, value: &Value) -> Option<&Value>;
    /// The same, to change it.
    fn of_mut(self, value: &mut Value) -> Option<&mut Value>;
    /// The same, and what is not there comes into being as null, in an object.
    fn made(self, value: &mut Value) -> &mut Value;
}

impl At for usize {
    fn of(self, value: &Value) -> Option<&Value> {
        match value {
            Value::Array(list) => list.get(self),
            _ => None,
        }
    }

    fn of_mut(self, value: &mut Value) -> Option<&mut Value> {
        match value {
            Value::Array(list) => list.get_mut(self),
            _ => None,
        }
    }

    /// # Panics
    /// When there is no such place: a list does not grow by being asked.
    fn made(self, value: &mut Value) -> &mut Value {
        match value {
            Value::Array(list) => &mut list[self],
            other => std::slice::from_mut(other).index_mut(1 + self),
        }
    }
}

macro_rules! by_name {
    ($($name:ty)*) => {$(
        impl At for $name {
            fn of(self, value: &Value) -> Option<&Value> {
                match value {
                    Value::Object(map) => map.get(self),
                    _ => None,
                }
            }

            fn of_mut(self, value: &mut Value) -> Option<&mut Value> {
                match value {
                    Value::Object(map) => map.get_mut(self),
                    _ => None,
                }
            }

            fn made(self, value: &mut Value) -> &mut Value {
                if !value.is_object() {
                    *value = Value::Object(Map::new());
                }
                match value {
                    Value::Object(map) => {
                        let name: &str = self.as_ref();
                        map.entry(name).or_insert(Value::Null)
                    }
                    other => other,
                }
            }
        }
    )*};
}

by_name!(&str && str & String & Key & Text);

impl<A: At> Index<A> for Value {
    type Output = Self;

    /// What is not there reads as null.
    fn index(&self, at: A) -> &Self {
        self.get(at).unwrap_or(&NULL)
    }
}

impl<A: At> IndexMut<A> for Value {
    /// What is not there comes into being as null, in an object; what is no object becomes one.
    fn index_mut(&mut self, at: A) -> &mut Self {
        at.made(self)
    }
}
