//! The kinds of several Kubernetes versions in one block of bytes, read in place.
//!
//! Everything has a fixed size, so that a look-up is a binary search and nothing is decoded ahead. What a version shares with another is stored once.
//! Numbers are little-endian. [`pack`] writes it, from the sources that `sluice-schema-table` reads; reading never panics, whatever the bytes say.
//!
//! ```text
//!   magic[4] · versions u16 · strings u16 · types u16 · definitions u16 · kinds u16 · bodies u32
//!   minor of each version                  u16 each
//!   strings: end of each in their bytes    u32 each, sorted by text
//!   types: code, argument                  u16 u16 each
//!   per version and definition: body       u32 each; NONE where the version has no such definition
//!   kinds: group version kind (strings), definition, bits of versions, scope   u16 each, sorted
//!   bodies, counted in u16: name (string), number of fields, then field (string), type
//!   bytes of the strings
//! ```

pub mod pack;

use std::cmp::Ordering;

/// What the table begins with; the last byte is the format.
const MAGIC: &[u8; 4] = b"SKT1";
/// No body: the version has no such definition.
const NONE: u32 = u32::MAX;
/// Bytes before the versions.
const HEADER: usize = 18;

/// What a type says of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Any,
    Open,
    Text,
    Bool,
    Int32,
    Int64,
    Number,
    IntOrString,
    Quantity,
    Time,
    Bytes,
    /// The argument is a definition.
    Ref,
    /// The same, and what is no object is taken as it is.
    Loose,
    /// The argument is the type of the items.
    List,
    /// The argument is the type of the values.
    Map,
}

impl Code {
    const ALL: [Self; 15] = [
        Self::Any,
        Self::Open,
        Self::Text,
        Self::Bool,
        Self::Int32,
        Self::Int64,
        Self::Number,
        Self::IntOrString,
        Self::Quantity,
        Self::Time,
        Self::Bytes,
        Self::Ref,
        Self::Loose,
        Self::List,
        Self::Map,
    ];

    fn of(number: u16) -> Self {
        Self::ALL
            .get(usize::from(number))
            .copied()
            .unwrap_or(Self::Any)
    }
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    bytes: &'a [u8],
}

/// A type in a table, as one version sees it.
#[derive(Clone, Copy, Debug)]
pub struct BuiltType<'a> {
    table: Table<'a>,
    release: usize,
    code: Code,
    argument: u16,
}

/// A definition in a table, as one version sees it.
#[derive(Clone, Copy, Debug)]
pub struct BuiltObject<'a> {
    table: Table<'a>,
    release: usize,
    definition: u16,
    /// Where it starts, in bytes.
    body: usize,
}

/// Where the parts of a table begin.
struct Parts {
    versions: usize,
    strings: usize,
    types: usize,
    resolve: usize,
    kinds: usize,
    bodies: usize,
    texts: usize,
}

impl Table<'static> {
    /// The one in this crate.
    #[must_use]
    pub fn shipped() -> Self {
        Self {
            bytes: include_bytes!("../kubernetes.table"),
        }
    }
}

impl<'a> Table<'a> {
    /// A table in `bytes`; `None` when they are none of this format.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        bytes.starts_with(MAGIC).then_some(Self { bytes })
    }

    fn u16(self, at: usize) -> u16 {
        match self.bytes.get(at..at.saturating_add(2)) {
            Some(&[low, high]) => u16::from_le_bytes([low, high]),
            _ => 0,
        }
    }

    fn u32(self, at: usize) -> u32 {
        u32::from(self.u16(at)) | (u32::from(self.u16(at.saturating_add(2))) << 16)
    }

    fn count(self, place: usize) -> usize {
        usize::from(self.u16(4 + 2 * place))
    }

    fn parts(self) -> Parts {
        let (versions, strings, types, definitions, kinds) = (
            self.count(0),
            self.count(1),
            self.count(2),
            self.count(3),
            self.count(4),
        );
        let bodies = self.u32(14) as usize;
        let mut parts = Parts {
            versions: HEADER,
            strings: 0,
            types: 0,
            resolve: 0,
            kinds: 0,
            bodies: 0,
            texts: 0,
        };
        parts.strings = parts.versions + 2 * versions;
        parts.types = parts.strings + 4 * strings;
        parts.resolve = parts.types + 4 * types;
        parts.kinds = parts.resolve + 4 * versions * definitions;
        parts.bodies = parts.kinds + 12 * kinds;
        parts.texts = parts.bodies + 2 * bodies;
        parts
    }

    /// The versions, each by its number after `1.`.
    pub fn minors(self) -> impl DoubleEndedIterator<Item = u8> + ExactSizeIterator + 'a {
        (0..self.count(0))
            .map(move |place| u8::try_from(self.u16(HEADER + 2 * place)).unwrap_or_default())
    }

    fn text(self, parts: &Parts, id: u16) -> &'a str {
        let id = usize::from(id);
        let start = match id {
            0 => 0,
            _ => self.u32(parts.strings + 4 * (id - 1)) as usize,
        };
        let end = self.u32(parts.strings + 4 * id) as usize;
        self.bytes
            .get(parts.texts.saturating_add(start)..parts.texts.saturating_add(end))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    fn string(self, parts: &Parts, text: &str) -> Option<u16> {
        search(self.count(1), |place| {
            u16::try_from(place).map_or(Ordering::Greater, |id| self.text(parts, id).cmp(text))
        })
        .and_then(|place| u16::try_from(place).ok())
    }

    /// Whether anything in it has this name.
    pub(super) fn knows(self, name: &str) -> bool {
        self.string(&self.parts(), name).is_some()
    }

    fn typ(self, parts: &Parts, release: usize, id: u16) -> BuiltType<'a> {
        let at = parts.types + 4 * usize::from(id);
        BuiltType {
            table: self,
            release,
            code: Code::of(self.u16(at)),
            argument: self.u16(at + 2),
        }
    }

    /// Whether objects of a kind lie in namespaces; `None` when no version has the kind.
    #[must_use]
    pub fn namespaced(self, api_version: &str, kind: &str) -> Option<bool> {
        let at = self.place(&self.parts(), api_version, kind)?;
        Some(self.u16(at + 10) != 0)
    }

    /// The type of a kind's objects in the version at a place of the table.
    #[must_use]
    pub fn kind(self, release: usize, api_version: &str, kind: &str) -> Option<BuiltType<'a>> {
        let at = self.place(&self.parts(), api_version, kind)?;
        (self.u16(at + 8) & (1 << release) != 0).then(|| BuiltType {
            table: self,
            release,
            code: Code::Ref,
            argument: self.u16(at + 6),
        })
    }

    /// Where a kind is told.
    fn place(self, parts: &Parts, api_version: &str, kind: &str) -> Option<usize> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let wanted = [
            self.string(parts, group)?,
            self.string(parts, version)?,
            self.string(parts, kind)?,
        ];
        let place = search(self.count(4), |place| {
            let at = parts.kinds + 12 * place;
            [self.u16(at), self.u16(at + 2), self.u16(at + 4)].cmp(&wanted)
        })?;
        Some(parts.kinds + 12 * place)
    }

    /// Every kind of the version at a place of the table, as `apiVersion` and kind.
    pub fn kinds(self, release: usize) -> impl Iterator<Item = (String, &'a str)> {
        let parts = self.parts();
        (0..self.count(4)).filter_map(move |place| {
            let at = parts.kinds + 12 * place;
            if self.u16(at + 8) & (1 << release) == 0 {
                return None;
            }
            let (group, version) = (
                self.text(&parts, self.u16(at)),
                self.text(&parts, self.u16(at + 2)),
            );
            let api_version = if group.is_empty() {
                version.to_owned()
            } else {
                format!("{group}/{version}")
            };
            Some((api_version, self.text(&parts, self.u16(at + 4))))
        })
    }

    fn object(self, release: usize, definition: u16) -> Option<BuiltObject<'a>> {
        let parts = self.parts();
        let definitions = self.count(3);
        if usize::from(definition) >= definitions {
            return None;
        }
        let body = self.u32(parts.resolve + 4 * (release * definitions + usize::from(definition)));
        (body != NONE).then(|| BuiltObject {
            table: self,
            release,
            definition,
            body: parts.bodies + 2 * body as usize,
        })
    }
}

impl<'a> BuiltType<'a> {
    pub(super) const fn code(self) -> Code {
        self.code
    }

    /// The object, of a reference.
    pub(super) fn object(self) -> Option<BuiltObject<'a>> {
        self.table.object(self.release, self.argument)
    }

    /// The type of items or values, of a list or map.
    pub(super) fn inner(self) -> Self {
        self.table
            .typ(&self.table.parts(), self.release, self.argument)
    }
}

impl<'a> BuiltObject<'a> {
    /// What the definition is called, such as `PodSpec`.
    pub(super) fn name(self) -> &'a str {
        self.table
            .text(&self.table.parts(), self.table.u16(self.body))
    }

    /// Tells definitions apart.
    pub(super) const fn identity(self) -> usize {
        self.definition as usize
    }

    fn count(self) -> usize {
        usize::from(self.table.u16(self.body + 2))
    }

    pub(super) fn field(self, name: &str) -> Option<BuiltType<'a>> {
        let parts = self.table.parts();
        let id = self.table.string(&parts, name)?;
        let place = search(self.count(), |place| {
            self.table.u16(self.body + 4 + 4 * place).cmp(&id)
        })?;
        let typ = self.table.u16(self.body + 6 + 4 * place);
        Some(self.table.typ(&parts, self.release, typ))
    }

    /// Every field with its type.
    pub(super) fn fields(self) -> impl Iterator<Item = (&'a str, BuiltType<'a>)> {
        let parts = self.table.parts();
        (0..self.count()).map(move |place| {
            let at = self.body + 4 + 4 * place;
            let typ = self.table.u16(at + 2);
            (
                self.table.text(&parts, self.table.u16(at)),
                self.table.typ(&parts, self.release, typ),
            )
        })
    }
}

/// Binary search among `count` places.
fn search(count: usize, compare: impl Fn(usize) -> Ordering) -> Option<usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        match compare(middle) {
            Ordering::Equal => return Some(middle),
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
        }
    }
    None
}
