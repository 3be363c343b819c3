//! Writes a table.

use std::collections::{BTreeMap, BTreeSet};

use super::{Code, MAGIC, NONE};

/// What a field is, before packing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    /// Anything.
    Any,
    /// An object with any fields.
    Open,
    /// A string.
    Text,
    /// A boolean.
    Bool,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// A number.
    Number,
    /// A whole number or a string.
    IntOrString,
    /// A quantity.
    Quantity,
    /// A point in time.
    Time,
    /// Bytes in base64.
    Bytes,
    /// An object of a definition.
    Ref(String),
    /// An object of a definition, or something that is no object.
    Loose(String),
    /// A list.
    List(Box<Self>),
    /// A map.
    Map(Box<Self>),
}

/// One definition: its fields. Which of them are required is left out: the sources say more than the API server asks.
pub type Fields = BTreeMap<String, Written>;

/// A kind, before packing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WrittenKind {
    /// The group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The definition of its objects.
    pub definition: String,
    /// Whether its objects lie in a namespace.
    pub namespaced: bool,
}

/// The kinds of one version, before packing.
#[derive(Clone, Debug, Default)]
pub struct Release {
    /// The number after `1.`.
    pub minor: u8,
    /// The definitions by their full name, such as `io.k8s.api.core.v1.PodSpec`.
    pub definitions: BTreeMap<String, Fields>,
    /// The kinds.
    pub kinds: Vec<WrittenKind>,
}

/// Why a table cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// A field refers to a definition that no version has.
    #[error("{0} is referred to and not defined")]
    Undefined(String),
    /// More of something than the format counts.
    #[error("more {0} than the format counts")]
    TooMany(&'static str),
}

/// Numbers what is there, in order.
struct Numbered<T>(Vec<T>);

impl<T: Ord> Numbered<T> {
    fn of(all: BTreeSet<T>, what: &'static str) -> Result<Self, PackError> {
        if all.len() >= usize::from(u16::MAX) {
            return Err(PackError::TooMany(what));
        }
        Ok(Self(all.into_iter().collect()))
    }

    fn id(&self, wanted: &T) -> Option<u16> {
        let place = self.0.binary_search(wanted).ok()?;
        u16::try_from(place).ok()
    }
}

/// The table of these versions; those parts of the definitions that no kind reaches are left out.
///
/// # Errors
/// When a definition is missing, or there is more than the format holds.
pub fn pack(releases: &[Release]) -> Result<Vec<u8>, PackError> {
    let mut releases: Vec<Release> = releases.to_vec();
    releases.sort_by_key(|release| release.minor);
    if releases.len() > 16 {
        return Err(PackError::TooMany("versions"));
    }
    for release in &mut releases {
        keep_reachable(release)?;
    }
    let definitions = Numbered::of(
        releases
            .iter()
            .flat_map(|release| release.definitions.keys().cloned())
            .collect(),
        "definitions",
    )?;
    let fields = || {
        releases
            .iter()
            .flat_map(|release| release.definitions.iter())
    };
    let mut strings = BTreeSet::new();
    let mut types = BTreeSet::new();
    for (name, fields) in fields() {
        strings.insert(short(name).to_owned());
        for (field, typ) in fields {
            strings.insert(field.clone());
            let mut typ = typ;
            loop {
                types.insert(typ.clone());
                match typ {
                    Written::List(inner) | Written::Map(inner) => typ = inner,
                    _ => break,
                }
            }
        }
    }
    let mut kinds: BTreeMap<(&str, &str, &str), (&WrittenKind, u16)> = BTreeMap::new();
    for (place, release) in releases.iter().enumerate() {
        for kind in &release.kinds {
            strings.extend([kind.group.clone(), kind.version.clone(), kind.kind.clone()]);
            let key = (
                kind.group.as_str(),
                kind.version.as_str(),
                kind.kind.as_str(),
            );
            kinds.entry(key).or_insert((kind, 0)).1 |= 1 << place;
        }
    }
    let strings = Numbered::of(strings, "strings")?;
    let types = Numbered::of(types, "types")?;
    let string = |text: &str| strings.id(&text.to_owned()).unwrap_or_default();

    // each different body once
    let mut bodies: Vec<u16> = Vec::new();
    let mut places: BTreeMap<Vec<u16>, u32> = BTreeMap::new();
    let mut resolve: Vec<u32> = Vec::new();
    for release in &releases {
        for name in &definitions.0 {
            let Some(fields) = release.definitions.get(name) else {
                resolve.push(NONE);
                continue;
            };
            let count = u16::try_from(fields.len()).map_err(|_| PackError::TooMany("fields"))?;
            let mut body = vec![string(short(name)), count];
            for (field, typ) in fields {
                body.extend([string(field), types.id(typ).unwrap_or_default()]);
            }
            let place = match places.get(&body) {
                Some(place) => *place,
                None => {
                    let place =
                        u32::try_from(bodies.len()).map_err(|_| PackError::TooMany("bodies"))?;
                    bodies.extend(&body);
                    places.insert(body, place);
                    place
                }
            };
            resolve.push(place);
        }
    }

    let mut bytes = MAGIC.to_vec();
    let mut put = |number: usize, what: &'static str| -> Result<(), PackError> {
        let number = u16::try_from(number).map_err(|_| PackError::TooMany(what))?;
        bytes.extend(number.to_le_bytes());
        Ok(())
    };
    put(releases.len(), "versions")?;
    put(strings.0.len(), "strings")?;
    put(types.0.len(), "types")?;
    put(definitions.0.len(), "definitions")?;
    put(kinds.len(), "kinds")?;
    let count = u32::try_from(bodies.len()).map_err(|_| PackError::TooMany("bodies"))?;
    bytes.extend(count.to_le_bytes());
    for release in &releases {
        bytes.extend(u16::from(release.minor).to_le_bytes());
    }
    let mut end = 0;
    for text in &strings.0 {
        end += u32::try_from(text.len()).map_err(|_| PackError::TooMany("characters"))?;
        bytes.extend(end.to_le_bytes());
    }
    for typ in &types.0 {
        let (code, argument) = coded(typ, &types, &definitions)?;
        bytes.extend((code as u16).to_le_bytes());
        bytes.extend(argument.to_le_bytes());
    }
    for place in resolve {
        bytes.extend(place.to_le_bytes());
    }
    // strings are numbered in their order, so the order of the texts is the order of the numbers
    for ((group, version, kind), (written, versions)) in &kinds {
        let definition = definitions
            .id(&written.definition)
            .ok_or_else(|| PackError::Undefined(written.definition.clone()))?;
        for number in [
            string(group),
            string(version),
            string(kind),
            definition,
            *versions,
            u16::from(written.namespaced),
        ] {
            bytes.extend(number.to_le_bytes());
        }
    }
    for number in bodies {
        bytes.extend(number.to_le_bytes());
    }
    for text in &strings.0 {
        bytes.extend(text.as_bytes());
    }
    Ok(bytes)
}

fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn coded(
    typ: &Written,
    types: &Numbered<Written>,
    definitions: &Numbered<String>,
) -> Result<(Code, u16), PackError> {
    let definition = |name: &String| {
        definitions
            .id(name)
            .ok_or_else(|| PackError::Undefined(name.clone()))
    };
    Ok(match typ {
        Written::Any => (Code::Any, 0),
        Written::Open => (Code::Open, 0),
        Written::Text => (Code::Text, 0),
        Written::Bool => (Code::Bool, 0),
        Written::Int32 => (Code::Int32, 0),
        Written::Int64 => (Code::Int64, 0),
        Written::Number => (Code::Number, 0),
        Written::IntOrString => (Code::IntOrString, 0),
        Written::Quantity => (Code::Quantity, 0),
        Written::Time => (Code::Time, 0),
        Written::Bytes => (Code::Bytes, 0),
        Written::Ref(name) => (Code::Ref, definition(name)?),
        Written::Loose(name) => (Code::Loose, definition(name)?),
        Written::List(inner) => (Code::List, types.id(inner).unwrap_or_default()),
        Written::Map(inner) => (Code::Map, types.id(inner).unwrap_or_default()),
    })
}

/// Leaves only the definitions that a kind leads to.
fn keep_reachable(release: &mut Release) -> Result<(), PackError> {
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = release
        .kinds
        .iter()
        .map(|kind| kind.definition.clone())
        .collect();
    while let Some(name) = open.pop() {
        if reached.contains(&name) {
            continue;
        }
        let fields = release
            .definitions
            .get(&name)
            .ok_or_else(|| PackError::Undefined(name.clone()))?;
        for typ in fields.values() {
            let mut typ = typ;
            while let Written::List(inner) | Written::Map(inner) = typ {
                typ = inner;
            }
            if let Written::Ref(name) | Written::Loose(name) = typ {
                open.push(name.clone());
            }
        }
        reached.insert(name);
    }
    release.definitions.retain(|name, _| reached.contains(name));
    Ok(())
}
