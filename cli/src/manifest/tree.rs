//! One parsed document: the values as Kubernetes sees them, and where each of them stands.

use std::{collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};
use sluice_tree::{Key, Number, Value};

use super::{
    Position,
    path::{self, Segment},
};

/// One value with its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub content: Content,
    mark: Mark,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Content {
    /// Null, a boolean, a number or a string.
    Plain(Value),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the text. A key may occur twice: the last one counts, as for kubectl.
    Map(Vec<Entry>),
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value; it stands where the key stands.
    pub value: Node,
    mark: Mark,
}

/// A [`Position`] in half the space: every value of every file has one, and no text has so many lines.
#[derive(Clone, Copy, Debug)]
struct Mark {
    line: u32,
    column: u32,
}

impl Mark {
    fn of(location: Location) -> Self {
        let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            line: short(location.line()),
            column: short(location.column()),
        }
    }

    fn position(self) -> Position {
        Position {
            line: self.line.into(),
            column: self.column.into(),
        }
    }
}

impl Entry {
    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> Position {
        self.mark.position()
    }
}

/// A key that occurs twice in a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The path of the field.
    pub path: String,
    /// Where it stands first.
    pub first: Position,
    /// Where it stands last, and counts.
    pub last: Position,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Where, when the parser knows.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
}

fn place(location: Location) -> Position {
    Position {
        line: location.line(),
        column: location.column(),
    }
}

impl Node {
    /// Parses one document as kubectl reads it (old octal numbers, `yes` and `on` as booleans); `lines_before` lines of the file stand before it.
    ///
    /// Nested values are read by recursion: call it where the stack is large, as [`super::document::objects`] does.
    ///
    /// # Errors
    /// When the text is no YAML, or the document unfolds to more than any manifest holds.
    pub fn parse(text: &str, lines_before: u64) -> Result<Self, ParseError> {
        let error = match Self::parse_with(DuplicateKeyPolicy::Error, text, lines_before) {
            Err((error, true)) => error,
            other => return other.map_err(|(error, _)| error),
        };
        // a key twice is read as kubectl reads it and told by `duplicates`; where the parser folds it away there is nothing to tell, and the error stays
        match Self::parse_with(DuplicateKeyPolicy::LastWins, text, lines_before) {
            Ok(node) if !node.duplicates().is_empty() => Ok(node),
            Ok(_) => Err(error),
            Err((other, _)) => Err(other),
        }
    }

    /// Parses; the error says whether it is about a key that occurs twice.
    fn parse_with(
        duplicate_keys: DuplicateKeyPolicy,
        text: &str,
        lines_before: u64,
    ) -> Result<Self, (ParseError, bool)> {
        let options = serde_saphyr::options! {
            legacy_octal_numbers: true,
            with_snippet: false,
            duplicate_keys: duplicate_keys,
            budget: serde_saphyr::budget! { max_depth: 100, max_nodes: 500_000, max_events: 2_000_000 },
        };
        let shifted = |mut position: Position| {
            position.line += lines_before;
            position
        };
        match serde_saphyr::from_str_with_options::<Spanned<Content>>(text, options) {
            Ok(root) => {
                let mut root = Self::of(root);
                root.shift(u32::try_from(lines_before).unwrap_or(u32::MAX));
                Ok(root)
            }
            Err(error) => Err((
                ParseError {
                    position: error
                        .location()
                        .map(place)
                        .filter(|position| position.line > 0)
                        .map(shifted),
                    message: serde_saphyr::MessageFormatter::format_message(
                        &serde_saphyr::UserMessageFormatter,
                        error.without_snippet(),
                    )
                    .into_owned(),
                },
                matches!(
                    error.without_snippet(),
                    serde_saphyr::Error::DuplicateMappingKey { .. }
                ),
            )),
        }
    }

    fn of(spanned: Spanned<Content>) -> Self {
        Self {
            content: spanned.value,
            mark: Mark::of(spanned.referenced),
        }
    }

    /// Counts the lines before the document in.
    fn shift(&mut self, lines: u32) {
        if lines == 0 {
            return;
        }
        self.mark.line = self.mark.line.saturating_add(lines);
        match &mut self.content {
            Content::Plain(_) => {}
            Content::List(items) => items.iter_mut().for_each(|item| item.shift(lines)),
            Content::Map(entries) => {
                for entry in entries {
                    entry.mark.line = entry.mark.line.saturating_add(lines);
                    entry.value.shift(lines);
                }
            }
        }
    }

    /// Where it stands; for an entry of a map see [`Entry::position`].
    #[must_use]
    pub fn position(&self) -> Position {
        self.mark.position()
    }

    /// The value without places.
    #[must_use]
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Plain(value) => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.value()))
                    .collect(),
            ),
        }
    }

    /// The entry of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(entries) => entries
                .iter()
                .rfind(|entry| *entry.key == *key)
                .map(|entry| &entry.value),
            Content::Plain(_) | Content::List(_) => None,
        }
    }

    /// Takes the entry of a map out of it.
    pub fn take(&mut self, key: &str) -> Option<Self> {
        match &mut self.content {
            Content::Map(entries) => {
                let place = entries.iter().rposition(|entry| *entry.key == *key)?;
                Some(entries.remove(place).value)
            }
            Content::Plain(_) | Content::List(_) => None,
        }
    }

    /// Every key that occurs twice in a map, in the order of the text; a key that a merge brings and the map sets again is none.
    #[must_use]
    pub fn duplicates(&self) -> Vec<Duplicate> {
        let mut found = Vec::new();
        self.collect_duplicates(&mut String::new(), &mut found);
        found
    }

    fn collect_duplicates(&self, path: &mut String, found: &mut Vec<Duplicate>) {
        let length = path.len();
        match &self.content {
            Content::Plain(_) => {}
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    path::push_index(path, index);
                    item.collect_duplicates(path, found);
                    path.truncate(length);
                }
            }
            Content::Map(entries) => {
                let mut places: HashMap<&str, (Position, Position, bool)> =
                    HashMap::with_capacity(entries.len());
                for entry in entries {
                    let place = entry.position();
                    places
                        .entry(&entry.key)
                        .and_modify(|(_, last, twice)| (*last, *twice) = (place, true))
                        .or_insert((place, place, false));
                }
                for Entry { key, value, .. } in entries {
                    path::push_key(path, key);
                    if let Some((first, last, true)) = places.remove(&**key) {
                        found.push(Duplicate {
                            path: path.clone(),
                            first,
                            last,
                        });
                    }
                    value.collect_duplicates(path, found);
                    path.truncate(length);
                }
            }
        }
    }

    /// Where the field at `path` stands: the key of a map entry, the item of a list; of what is absent, the nearest thing around it that is there.
    #[must_use]
    pub fn locate(&self, path: &[Segment<'_>]) -> Position {
        self.follow(path).position
    }

    /// Follows `path` as far as there is something.
    #[must_use]
    pub fn follow<'a>(&'a self, path: &[Segment<'a>]) -> Followed<'a> {
        let mut followed = Followed {
            position: self.position(),
            steps: 0,
            names: Vec::with_capacity(path.len()),
        };
        let mut node = self;
        for segment in path {
            let next = match (&node.content, segment) {
                (Content::Map(entries), Segment::Key(key)) => entries
                    .iter()
                    .rfind(|entry| *entry.key == **key)
                    .map(|entry| (entry.position(), &entry.value)),
                (Content::List(items), Segment::Index(index)) => {
                    items.get(*index).map(|item| (item.position(), item))
                }
                (Content::List(items), Segment::Key(name)) => items
                    .iter()
                    .find(|item| item.name() == Some(*name))
                    .map(|item| (item.position(), item)),
                _ => None,
            };
            let Some((place, value)) = next else { break };
            followed.position = place;
            followed.steps += 1;
            followed.names.push(match &node.content {
                Content::List(_) => value.name(),
                Content::Plain(_) | Content::Map(_) => None,
            });
            node = value;
        }
        followed
    }

    /// The `name` of an item of a list.
    fn name(&self) -> Option<&str> {
        match self.get("name").map(|name| &name.content) {
            Some(Content::Plain(Value::String(name))) => Some(name),
            _ => None,
        }
    }
}

/// How far a path leads into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed<'a> {
    /// Where the last thing stands that is there.
    pub position: Position,
    /// How many steps of the path are there.
    pub steps: usize,
    /// For each of them, the `name` of an item of a list that has one.
    pub names: Vec<Option<&'a str>>,
}

/// Places are attached by [`Spanned`].
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor;

        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
                Ok(Content::Plain(Value::Bool(value)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
                Ok(Content::Plain(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
                Ok(Content::Plain(value.into()))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
                Number::from_f64(value)
                    .map(|number| Content::Plain(Value::Number(number)))
                    .ok_or_else(|| E::custom("a number that is infinite or none cannot be stored by Kubernetes; quote it if it is text"))
            }

            fn visit_str<E>(self, value: &str) -> Result<Content, E> {
                Ok(Content::Plain(value.into()))
            }

            fn visit_string<E>(self, value: String) -> Result<Content, E> {
                Ok(Content::Plain(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::Plain(Value::Null))
            }

            fn visit_none<E>(self) -> Result<Content, E> {
                Ok(Content::Plain(Value::Null))
            }

            fn visit_some<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Content, D::Error> {
                Content::deserialize(deserializer)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(Node::of(item));
                }
                items.shrink_to_fit();
                Ok(Content::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) =
                    map.next_entry::<Spanned<String>, Spanned<Content>>()?
                {
                    entries.push(Entry {
                        key: key.value.into(),
                        value: Node::of(value),
                        mark: Mark::of(key.referenced),
                    });
                }
                entries.shrink_to_fit();
                Ok(Content::Map(entries))
            }
        }

        deserializer.deserialize_any(ContentVisitor)
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;
    use crate::manifest::path;

    #[test]
    fn reads_scalars_as_the_api_server_will_see_them() {
        let text = "a: no\nb: on\nc: 0644\nd: 1_000\ne: \"0644\"\nf: 1e3\ng: ~\nh: 0x1f\ni: 5Gi\nj: 100m\nk: '10%'\nl: 1.5\nm:\nn: 2024-01-01\no: 12:30\n1: x\n";
        let value = Node::parse(text, 0).unwrap().value();
        assert_eq!(
            value,
            json!({"a": false, "b": true, "c": 420, "d": 1000, "e": "0644", "f": 1000.0, "g": null, "h": 31, "i": "5Gi", "j": "100m", "k": "10%", "l": 1.5,
                   "m": null, "n": "2024-01-01", "o": "12:30", "1": "x"})
        );
    }

    #[test]
    fn merges_and_follows_anchors() {
        let text = "base: &base {cpu: 1, memory: 2}\nmine:\n  <<: *base\n  cpu: 3\nlist: [*base]\n";
        let value = Node::parse(text, 0).unwrap().value();
        assert_eq!(value["mine"], json!({"cpu": 3, "memory": 2}));
        assert_eq!(value["list"][0]["cpu"], 1);
    }

    #[test]
    fn tells_where_a_field_is_or_would_be() {
        let text = "kind: CronJob\nspec:\n  schedule: x\n  jobTemplate:\n    spec:\n      containers:\n      - name: a\n        image: b\n      - name: c\n";
        let node = Node::parse(text, 10).unwrap();
        for (path, line, column) in [
            ("kind", 11, 1),
            ("spec.schedule", 13, 3),
            ("spec.startingDeadlineSeconds", 12, 1),
            ("spec.jobTemplate.spec.containers[0].image", 18, 9),
            ("spec.jobTemplate.spec.containers[1]", 19, 9),
            ("spec.jobTemplate.spec.containers[7].image", 16, 7),
            ("spec.jobTemplate.spec.containers[\"c\"].image", 19, 9),
            ("-", 11, 1),
        ] {
            assert_eq!(
                node.locate(&path::parse(path)),
                Position { line, column },
                "{path}"
            );
        }
    }

    #[test]
    fn the_last_of_two_keys_counts_and_both_places_are_told() {
        for (text, value, told) in [
            ("a: 1\nb: 2\n", json!({"a": 1, "b": 2}), vec![]),
            ("a: 1\na: 2\n", json!({"a": 2}), vec![("a", 11, 12)]),
            ("a: 1\na: 2\na: 3\n", json!({"a": 3}), vec![("a", 11, 13)]),
            (
                "s:\n- {x: 1, y.z: 2, x: 3}\n- k: 1\ns:\n- y.z: 1\n  y.z: {q: 1, q: 2}\n",
                json!({"s": [{"y.z": {"q": 2}}]}),
                vec![
                    ("s", 11, 14),
                    ("s[0].x", 12, 12),
                    ("s[0][\"y.z\"]", 15, 16),
                    ("s[0][\"y.z\"].q", 16, 16),
                ],
            ),
            ("1: a\n\"1\": b\n", json!({"1": "b"}), vec![("1", 11, 12)]),
            (
                "m: &m {a: 1}\nn: {<<: *m, a: 2}\n",
                json!({"m": {"a": 1}, "n": {"a": 2}}),
                vec![],
            ),
        ] {
            let node = Node::parse(text, 10).unwrap();
            assert_eq!(node.value(), value, "{text}");
            let found = node.duplicates();
            let found: Vec<_> = found
                .iter()
                .map(|twice| (twice.path.as_str(), twice.first.line, twice.last.line))
                .collect();
            assert_eq!(found, told, "{text}");
            if let Some((path, _, line)) = told.first() {
                assert_eq!(node.locate(&path::parse(path)).line, *line, "{text}");
            }
        }
        // the parser folds numbers away that are the same key: that stays an error, it is never silent
        let error = Node::parse("1: a\n1: b\n", 0).unwrap_err();
        assert!(error.message.contains("duplicate"), "{error:?}");
    }

    #[test]
    fn says_where_a_text_is_no_yaml() {
        for (text, line, words) in [
            ("a:\n\tb: 1\n", 2, "tab"),
            ("a: [1, 2\nb: 3\n", 2, ""),
            ("a: *nowhere\n", 1, "unknown"),
            ("a: .inf\n", 1, "finite"),
            ("a: b: c\n", 1, ""),
        ] {
            let error = Node::parse(text, 100).unwrap_err();
            assert_eq!(
                error.position.map(|position| position.line),
                Some(100 + line),
                "{text:?} {error:?}"
            );
            assert!(
                error.message.to_lowercase().contains(words),
                "{text:?} {error:?}"
            );
        }
    }
}
