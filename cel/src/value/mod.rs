//! What an expression works on: small `Copy` values over an arena and over the borrowed JSON of the object.
//!
//! Invariants: a value is never larger than three words and owns nothing, so dropping an evaluation is dropping its arena;
//! a JSON `null` inside an object counts as an absent field, as it does for the API server.

mod json;
mod order;
mod text;

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use sluice_tree::{Map, Value as Json};

pub(crate) use json::field;
pub(crate) use order::{compare, compare_keys, equal};
pub(crate) use text::{double_text, duration_text, write_value};

use crate::{
    library::{Image, NamedFormat, Quantity, Semver, Url},
    types::Type,
};

/// A value.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed whole number.
    Int(i64),
    /// An unsigned whole number.
    Uint(u64),
    /// A floating point number.
    Double(f64),
    /// A text.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A list that the expression made.
    List(&'a [Value<'a>]),
    /// A map that the expression made, sorted by key, each key once.
    Map(&'a [(Value<'a>, Value<'a>)]),
    /// A list of the object, not copied.
    JsonList(&'a [Json]),
    /// A map of the object, not copied.
    JsonMap(&'a Map),
    /// A moment.
    Timestamp(Timestamp),
    /// A span of time.
    Duration(SignedDuration),
    /// A type, as `type(x)` gives it.
    Type(&'a str),
    /// An optional value.
    Optional(Option<&'a Value<'a>>),
    /// A quantity of Kubernetes.
    Quantity(&'a Quantity),
    /// An IP address.
    Ip(IpAddr),
    /// A network.
    Cidr(IpNet),
    /// A URL.
    Url(&'a Url<'a>),
    /// A semantic version.
    Semver(&'a Semver<'a>),
    /// A named format.
    Format(NamedFormat),
    /// A reference to a container image.
    Image(&'a Image<'a>),
}

impl<'a> Value<'a> {
    /// A value over borrowed JSON; copies nothing.
    #[must_use]
    pub fn of_json(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            // whole numbers are int, as the API server reads them; what does not fit is a double there too
            Json::Number(number) => number.as_i64().map_or_else(
                || Self::Double(number.as_f64().unwrap_or(f64::NAN)),
                Self::Int,
            ),
            Json::String(text) => Self::Str(text),
            Json::Array(list) => Self::JsonList(list),
            Json::Object(map) => Self::JsonMap(map),
        }
    }

    /// The boolean, when it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, when it is one.
    #[must_use]
    pub const fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The name of its type as CEL says it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Str(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) | Self::JsonList(_) => "list",
            Self::Map(_) | Self::JsonMap(_) => "map",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Ip(_) => "net.IP",
            Self::Cidr(_) => "net.CIDR",
            Self::Url(_) => "kubernetes.URL",
            Self::Semver(_) => "kubernetes.Semver",
            Self::Format(_) => "kubernetes.NamedFormat",
            Self::Image(_) => "kubernetes.Image",
        }
    }

    /// Its type without what lies in it.
    pub(crate) fn shallow_type(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Uint(_) => Type::Uint,
            Self::Double(_) => Type::Double,
            Self::Str(_) => Type::String,
            Self::Bytes(_) => Type::Bytes,
            Self::List(_) | Self::JsonList(_) => Type::list(Type::Dyn),
            Self::Map(_) | Self::JsonMap(_) => Type::map(Type::Dyn, Type::Dyn),
            Self::Timestamp(_) => Type::Timestamp,
            Self::Duration(_) => Type::Duration,
            Self::Type(_) => Type::Type,
            Self::Optional(_) => Type::optional(Type::Dyn),
            Self::Quantity(_) => Type::Quantity,
            Self::Ip(_) => Type::Ip,
            Self::Cidr(_) => Type::Cidr,
            Self::Url(_) => Type::Url,
            Self::Semver(_) => Type::Semver,
            Self::Format(_) => Type::Format,
            Self::Image(_) => Type::Image,
        }
    }
}
