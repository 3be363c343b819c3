//! The types that expressions are checked by before they run.

use std::{fmt, sync::Arc};

use crate::described::Described;

/// A type. What comes out of an object is [`Type::Dyn`]: known only when it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Not known before it runs.
    Dyn,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A signed whole number.
    Int,
    /// An unsigned whole number.
    Uint,
    /// A floating point number.
    Double,
    /// A text.
    String,
    /// Bytes.
    Bytes,
    /// A moment.
    Timestamp,
    /// A span of time.
    Duration,
    /// A type.
    Type,
    /// A list.
    List(Arc<Type>),
    /// A map.
    Map(Arc<Type>, Arc<Type>),
    /// A map whose keys are known: an object with fields.
    Object(Described),
    /// An optional value.
    Optional(Arc<Type>),
    /// A quantity of Kubernetes.
    Quantity,
    /// An IP address.
    Ip,
    /// A network.
    Cidr,
    /// A URL.
    Url,
    /// A semantic version.
    Semver,
    /// A named format.
    Format,
    /// A container image reference.
    Image,
    /// What asks the API server's authorizer; no value of it exists outside the API server.
    Authorizer,
    /// The same about a path.
    PathCheck,
    /// The same about an API group.
    GroupCheck,
    /// The same about a resource.
    ResourceCheck,
    /// What the authorizer says.
    Decision,
}

impl Type {
    /// A list of `element`.
    #[must_use]
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// A map from `key` to `value`.
    #[must_use]
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Arc::new(key), Arc::new(value))
    }

    /// An optional `inner`.
    #[must_use]
    pub fn optional(inner: Self) -> Self {
        Self::Optional(Arc::new(inner))
    }

    /// Whether a value of one may be a value of the other.
    #[must_use]
    pub fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::List(a), Self::List(b)) | (Self::Optional(a), Self::Optional(b)) => a.fits(b),
            (Self::Map(ka, va), Self::Map(kb, vb)) => ka.fits(kb) && va.fits(vb),
            // what holds fields is a map to whoever does not ask for one of them
            (Self::Object(_), Self::Object(_) | Self::Map(..))
            | (Self::Map(..), Self::Object(_)) => true,
            _ => self == other,
        }
    }

    /// Whether the two can be equal: numbers across their types, `null` with anything, everything else within its own.
    #[must_use]
    pub fn comparable(&self, other: &Self) -> bool {
        let number = |of: &Self| matches!(of, Self::Int | Self::Uint | Self::Double);
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => true,
            (Self::List(a), Self::List(b)) | (Self::Optional(a), Self::Optional(b)) => {
                a.comparable(b)
            }
            (Self::Map(ka, va), Self::Map(kb, vb)) => ka.comparable(kb) && va.comparable(vb),
            _ => self.fits(other) || (number(self) && number(other)),
        }
    }

    /// What both are: the same type, else not known.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        if self == other {
            self.clone()
        } else {
            Self::Dyn
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dyn => "dyn",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::Type => "type",
            Self::List(element) => return write!(f, "list({element})"),
            Self::Map(key, value) => return write!(f, "map({key}, {value})"),
            Self::Object(object) => return f.write_str(&object.called()),
            Self::Optional(inner) => return write!(f, "optional({inner})"),
            Self::Quantity => "quantity",
            Self::Ip => "ip",
            Self::Cidr => "cidr",
            Self::Url => "url",
            Self::Semver => "semver",
            Self::Format => "format",
            Self::Image => "image",
            Self::Authorizer => "authorizer",
            Self::PathCheck => "authorizer of a path",
            Self::GroupCheck => "authorizer of a group",
            Self::ResourceCheck => "authorizer of a resource",
            Self::Decision => "decision of the authorizer",
        })
    }
}
