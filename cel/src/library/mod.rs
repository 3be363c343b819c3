//! The functions of CEL and of Kubernetes' libraries, one table per library.
//!
//! Invariant: a function charges for what it looks at and for what it makes before it makes it, and never panics.

mod authorizer;
mod format;
mod image;
mod lists;
mod named_format;
mod network;
mod optional;
mod patterns;
mod quantity;
mod semver;
mod sets;
mod standard;
mod strings;
mod time;
mod url;

use std::fmt;

pub(crate) use image::Image;
pub(crate) use named_format::NamedFormat;
pub(crate) use patterns::{ask, pattern};
pub(crate) use quantity::Quantity;
pub use quantity::canonical_quantity;
pub(crate) use semver::Semver;
pub(crate) use time::in_range;
pub(crate) use url::Url;

use crate::{
    eval::{Raised, Scope},
    types::Type,
    value::Value,
};

/// In every version.
pub(crate) const ALWAYS: u32 = 0;
/// In none: ours alone.
pub(crate) const NEVER: u32 = u32::MAX;
/// Comprehensions with two variables came with this version.
pub(crate) const TWO_VARIABLES: u32 = 32;
/// No version of Kubernetes has `cel.bind`.
pub(crate) const BIND: u32 = NEVER;

type Run = for<'a> fn(&Scope<'a>, &[Value<'a>]) -> Result<Value<'a>, Raised>;

/// What a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Any,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    List,
    /// A list whose elements are texts.
    Strings,
    Map,
    Optional,
    Type,
    Quantity,
    Ip,
    Cidr,
    Url,
    Semver,
    Format,
    Image,
    Authorizer,
    PathCheck,
    GroupCheck,
    ResourceCheck,
    Decision,
}

/// What a function gives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gives {
    Is(Takes),
    /// What the list holds.
    Element,
    /// What the optional holds.
    Inner,
    /// An optional of the argument.
    OptionalOf,
    /// The same type as the first argument.
    Same,
    /// An optional list of texts.
    OptionalStrings,
    /// An optional named format.
    OptionalFormat,
}

/// One function for arguments of certain types.
pub(crate) struct Overload {
    pub name: &'static str,
    pub member: bool,
    pub takes: &'static [Takes],
    pub gives: Gives,
    /// The minor version of Kubernetes that has it first.
    pub since: u32,
    pub run: Run,
}

impl fmt::Debug for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.signature())
    }
}

/// A function on values: `f(x)`.
const fn global(
    name: &'static str,
    takes: &'static [Takes],
    gives: Takes,
    since: u32,
    run: Run,
) -> Overload {
    Overload {
        name,
        member: false,
        takes,
        gives: Gives::Is(gives),
        since,
        run,
    }
}

/// A function on its first argument: `x.f()`.
const fn member(
    name: &'static str,
    takes: &'static [Takes],
    gives: Takes,
    since: u32,
    run: Run,
) -> Overload {
    Overload {
        name,
        member: true,
        takes,
        gives: Gives::Is(gives),
        since,
        run,
    }
}

impl Overload {
    const fn giving(mut self, gives: Gives) -> Self {
        self.gives = gives;
        self
    }

    /// Whether arguments of these types may be taken.
    pub(crate) fn takes(&self, types: &[Type]) -> bool {
        self.takes.len() == types.len()
            && self
                .takes
                .iter()
                .zip(types)
                .all(|(takes, of)| takes.as_type().fits(of))
    }

    /// Whether these values are taken.
    pub(crate) fn takes_values(&self, values: &[Value<'_>]) -> bool {
        self.takes.len() == values.len()
            && self.takes.iter().zip(values).all(|(takes, value)| {
                *takes == Takes::Any || takes.as_type().fits(&value.shallow_type())
            })
    }

    /// The type of what it gives for arguments of these types.
    pub(crate) fn gives(&self, types: &[Type]) -> Type {
        let first = types.first().unwrap_or(&Type::Dyn);
        match self.gives {
            Gives::Is(takes) => takes.as_type(),
            Gives::Same => first.clone(),
            Gives::Element => match first {
                Type::List(element) => element.as_ref().clone(),
                _ => Type::Dyn,
            },
            Gives::Inner => match first {
                Type::Optional(inner) => inner.as_ref().clone(),
                _ => Type::Dyn,
            },
            Gives::OptionalOf => Type::optional(first.clone()),
            Gives::OptionalStrings => Type::optional(Type::list(Type::String)),
            Gives::OptionalFormat => Type::optional(Type::Format),
        }
    }

    /// Estimated steps of one call.
    pub(crate) const fn weight(&self) -> u64 {
        4
    }

    /// How it is written.
    pub(crate) fn signature(&self) -> String {
        let words: Vec<String> = self
            .takes
            .iter()
            .map(|takes| takes.as_type().to_string())
            .collect();
        match (self.member, words.split_first()) {
            (true, Some((first, rest))) => format!("{first}.{}({})", self.name, rest.join(", ")),
            _ => format!("{}({})", self.name, words.join(", ")),
        }
    }
}

impl Takes {
    fn as_type(self) -> Type {
        match self {
            Self::Any => Type::Dyn,
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Uint => Type::Uint,
            Self::Double => Type::Double,
            Self::String => Type::String,
            Self::Bytes => Type::Bytes,
            Self::Timestamp => Type::Timestamp,
            Self::Duration => Type::Duration,
            Self::List => Type::list(Type::Dyn),
            Self::Strings => Type::list(Type::String),
            Self::Map => Type::map(Type::Dyn, Type::Dyn),
            Self::Optional => Type::optional(Type::Dyn),
            Self::Type => Type::Type,
            Self::Quantity => Type::Quantity,
            Self::Ip => Type::Ip,
            Self::Cidr => Type::Cidr,
            Self::Url => Type::Url,
            Self::Semver => Type::Semver,
            Self::Format => Type::Format,
            Self::Image => Type::Image,
            Self::Authorizer => Type::Authorizer,
            Self::PathCheck => Type::PathCheck,
            Self::GroupCheck => Type::GroupCheck,
            Self::ResourceCheck => Type::ResourceCheck,
            Self::Decision => Type::Decision,
        }
    }
}

/// A library and the version of Kubernetes that has it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Library {
    /// What it is called.
    pub name: &'static str,
    /// The minor version, `None` when every version has it.
    pub since: Option<u32>,
    /// Whether Kubernetes has it at all; what it has not, no `ValidatingAdmissionPolicy` can use.
    pub in_kubernetes: bool,
    /// What is in it, in short.
    pub holds: &'static str,
}

/// The libraries, by the version of Kubernetes that has them first.
#[must_use]
pub const fn libraries() -> &'static [Library] {
    const fn of(name: &'static str, since: Option<u32>, holds: &'static str) -> Library {
        Library {
            name,
            since,
            in_kubernetes: true,
            holds,
        }
    }
    const ALL: &[Library] = &[
        of(
            "standard",
            None,
            "operators, size, conversions, contains, startsWith, endsWith, matches, time",
        ),
        of("macros", None, "has, all, exists, existsOne, map, filter"),
        of(
            "strings",
            None,
            "charAt, indexOf, lastIndexOf, join, lowerAscii, upperAscii, replace, split, substring, trim",
        ),
        of(
            "lists",
            None,
            "isSorted, sum, min, max, indexOf, lastIndexOf",
        ),
        of("regex", None, "find, findAll"),
        of(
            "url",
            None,
            "url, isURL, getScheme, getHost, getHostname, getPort, getEscapedPath, getQuery",
        ),
        of(
            "optionals",
            Some(28),
            ".?field, [?key], optional.of, orValue, hasValue, optMap, optFlatMap",
        ),
        of(
            "quantity",
            Some(28),
            "quantity, isQuantity, asInteger, isLessThan, isGreaterThan, compareTo, add, sub, sign",
        ),
        of("strings 2", Some(29), "format, strings.quote"),
        of(
            "sets",
            Some(29),
            "sets.contains, sets.equivalent, sets.intersects",
        ),
        of(
            "ip",
            Some(30),
            "ip, isIP, ip.isCanonical, family, isLoopback, …",
        ),
        of(
            "cidr",
            Some(30),
            "cidr, isCIDR, containsIP, containsCIDR, ip, masked, prefixLength",
        ),
        of(
            "format",
            Some(31),
            "format.named, format.dns1123Label, …, validate",
        ),
        of(
            "two variables",
            Some(32),
            "all, exists, existsOne with two variables, transformList, transformMap, transformMapEntry",
        ),
        of(
            "semver",
            Some(33),
            "semver, isSemver, major, minor, patch, isLessThan, isGreaterThan, compareTo",
        ),
        of(
            "image",
            Some(33),
            "image, isImage, registry, repository, tag, digest, identifier, containsDigest",
        ),
        Library {
            name: "bindings",
            since: None,
            in_kubernetes: false,
            holds: "cel.bind",
        },
    ];
    ALL
}

fn all() -> impl Iterator<Item = &'static Overload> {
    [
        standard::TABLE,
        time::TABLE,
        strings::TABLE,
        patterns::TABLE,
        lists::TABLE,
        sets::TABLE,
        optional::TABLE,
        url::TABLE,
        network::TABLE,
        quantity::TABLE,
        semver::TABLE,
        named_format::TABLE,
        image::TABLE,
        authorizer::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// The overloads of a name.
pub(crate) fn named(name: &str, member: bool) -> impl Iterator<Item = &'static Overload> {
    all().filter(move |overload| overload.member == member && overload.name == name)
}

/// Every name of one style.
pub(crate) fn names(member: bool) -> impl Iterator<Item = &'static str> {
    all()
        .filter(move |overload| overload.member == member)
        .map(|overload| overload.name)
}

/// Whether functions have this word before their dot.
pub(crate) fn is_namespace(word: &str) -> bool {
    all().any(|overload| {
        overload
            .name
            .split_once('.')
            .is_some_and(|(root, _)| root == word)
    })
}

/// A literal that a conversion can never read.
pub(crate) fn literal(name: &str, text: &str) -> Result<(), String> {
    let read = match name {
        "duration" => time::duration(text).map(drop),
        "timestamp" => time::timestamp(text).map(drop),
        "quantity" => Quantity::parse(text).map(drop),
        "semver" => Semver::parse(text).map(drop),
        "ip" => network::address(text).map(drop),
        "cidr" => network::network(text).map(drop),
        _ => return Ok(()),
    };
    read.map_err(|raised| match raised {
        Raised::Failed(message) => message,
        Raised::Fault(fault) => fault.to_string(),
        Raised::Spent(what) => what.to_owned(),
    })
}
