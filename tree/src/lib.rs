//! An object of Kubernetes as a JSON tree that takes little room: what manifests and reviews are read into, and what rules look at.
//!
//! Decides: how a value lies in memory. Leaves to others: what it means. It is read and changed like a `serde_json::Value`, with the same words and the same
//! texts, and differs in two things:
//! - **room**: a map is a sorted list of its entries, where a B-tree takes 640 bytes for a map of one entry, and a short text lies in its value. A body of 8 MiB of small maps
//!   takes about three times its length instead of fifteen to a hundred times;
//! - **copies**: a clone shares everything below it, and a change copies only the way to it.
//!
//! Invariants: the entries of a map are sorted by name, each name once; what was read is at most as deep as `serde_json` reads, so nothing that walks a tree
//! can exhaust the stack; no panic, whatever was read.

mod compare;
mod convert;
mod index;
mod list;
mod map;
mod read;
mod serial;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub use index::At;
pub use list::List;
pub use map::{Entry, Iter, Map};
pub use read::Reader;
pub use serde_json::Number;
pub use text::{Key, Text};
pub use value::Value;

#[doc(hidden)]
pub use serde_json;

/// A value as it is written in JSON; like the macro of `serde_json`.
#[macro_export]
macro_rules! json {
    ($($json:tt)+) => { $crate::Value::from($crate::serde_json::json!($($json)+)) };
}

/// What a tree says, as a type that can be read from JSON.
///
/// # Errors
/// When it says something else.
pub fn from_value<T: serde::de::DeserializeOwned>(
    value: impl Into<serde_json::Value>,
) -> Result<T, serde_json::Error> {
    serde_json::from_value(value.into())
}
