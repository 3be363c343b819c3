//! From documents to Kubernetes objects: lists are taken apart, what is no object is a problem with its place.

use std::{
    num::NonZero,
    thread::{self, ScopedJoinHandle},
};

use sluice_tree::Value;

use super::{
    Position, Problem,
    path::{self, Segment},
    source::Source,
    split::{self, Chunk},
    tree::{Content, Duplicate, Entry, Followed, Node},
};

/// One Kubernetes object of a manifest.
#[derive(Clone, Debug)]
pub struct Object {
    /// The file as the user named it.
    pub file: String,
    /// The object with places.
    node: Node,
    /// The same without.
    pub value: Value,
}

impl Object {
    /// `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.value["apiVersion"].as_str().unwrap_or_default()
    }

    /// `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// The name; `generateName` with a star when that is all there is.
    #[must_use]
    pub fn name(&self) -> String {
        let metadata = &self.value["metadata"];
        match (metadata["name"].as_str(), metadata["generateName"].as_str()) {
            (Some(name), _) => name.to_owned(),
            (None, Some(prefix)) => format!("{prefix}*"),
            (None, None) => String::new(),
        }
    }

    /// The namespace written in it.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.value["metadata"]["namespace"]
            .as_str()
            .filter(|namespace| !namespace.is_empty())
    }

    /// Where it starts.
    #[must_use]
    pub fn position(&self) -> Position {
        match &self.node.content {
            Content::Map(entries) => entries
                .first()
                .map_or_else(|| self.node.position(), Entry::position),
            _ => self.node.position(),
        }
    }

    /// Where the field at `path` stands, or the nearest thing around it that is there.
    #[must_use]
    pub fn locate(&self, path: &str) -> Position {
        self.place(path).position
    }

    /// The same, with what is not there and with a name of the field that stays when lines move.
    #[must_use]
    pub fn place(&self, path: &str) -> Place {
        let segments = path::parse(path);
        let followed = match segments.first() {
            Some(Segment::Key(key)) if self.node.get(key).is_some() => self.node.follow(&segments),
            _ => Followed {
                position: self.position(),
                steps: 0,
                names: Vec::new(),
            },
        };
        let mut anchor = segments.clone();
        for (segment, name) in anchor.iter_mut().zip(&followed.names) {
            if let Some(name) = name {
                *segment = Segment::Key(name);
            }
        }
        let names_a_field = path != "-" && followed.steps < segments.len();
        Place {
            position: followed.position,
            missing: names_a_field.then(|| path::text(&segments[followed.steps..])),
            anchor: path::text(&anchor),
        }
    }

    /// Every key that occurs twice in a map of it.
    #[must_use]
    pub fn duplicates(&self) -> Vec<Duplicate> {
        self.node.duplicates()
    }

    /// A problem at a field.
    #[must_use]
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        Problem::at(&self.file, self.locate(path), message)
    }
}

impl Object {
    /// The objects written at a field of this one, a list of them taken apart; `None` when there is nothing at the field.
    #[must_use]
    pub fn inside(&self, path: &str) -> Option<Manifests> {
        let mut node = &self.node;
        for segment in path::parse(path) {
            node = match (&node.content, segment) {
                (Content::Map(_), Segment::Key(key)) => node.get(key)?,
                (Content::List(items), Segment::Index(index)) => items.get(index)?,
                _ => return None,
            };
        }
        let mut manifests = Manifests::default();
        match &node.content {
            Content::List(items) => {
                for item in items {
                    take(&self.file, item.clone(), &mut manifests);
                }
            }
            _ => take(&self.file, node.clone(), &mut manifests),
        }
        Some(manifests)
    }
}

/// Where a field of an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it stands, or the nearest thing around it that is there.
    pub position: Position,
    /// The end of its path that is not there.
    pub missing: Option<String>,
    /// Its path with items of lists called by their names: the same after lines have moved and items have changed places.
    pub anchor: String,
}

/// Everything that was read.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The objects, in the order of the text.
    pub objects: Vec<Object>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// How many files were read.
    pub files: usize,
    /// Files that hold no document.
    pub empty: Vec<String>,
}

/// The stack of a parsing thread: a hundred nested values take some 3 MiB in a debug build, which a main thread may not have.
const STACK: usize = 64 << 20;
/// How much text is worth another thread.
const SHARE: usize = 64 << 10;
/// More threads than this only wait for each other's memory.
const THREADS: usize = 8;

/// Reads the objects of texts that decide something themselves, such as policies: one in which a key occurs twice is a problem, and left out.
#[must_use]
pub fn strict_objects(sources: &[Source]) -> Manifests {
    let mut manifests = objects(sources);
    let problems = &mut manifests.problems;
    manifests.objects.retain(|object| {
        let twice = object.duplicates();
        problems.extend(twice.iter().map(|twice| {
            let message = format!(
                "{} occurs twice, first at line {}",
                twice.path, twice.first.line
            );
            Problem::at(&object.file, twice.last, message)
        }));
        twice.is_empty()
    });
    manifests
}

/// One thing to read, in the order of the text.
enum Piece<'a> {
    Bad(Problem),
    Chunk(&'a str, Chunk<'a>),
}

/// Reads the objects of texts, on several threads when there is much of it. The order is that of the text whatever the threads do. Where a key occurs twice
/// the last one counts; see [`Object::duplicates`].
#[must_use]
pub fn objects(sources: &[Source]) -> Manifests {
    let mut manifests = Manifests {
        files: sources.len(),
        ..Manifests::default()
    };
    let (mut pieces, mut length) = (Vec::new(), 0);
    for source in sources {
        let (chunks, bad) = split::chunks(&source.text);
        if chunks.is_empty() && bad.is_empty() {
            manifests.empty.push(source.name.clone());
        }
        pieces.extend(bad.iter().map(|separator| {
            Piece::Bad(Problem::at(
                &source.name,
                separator.position,
                "a document separator may be followed by nothing but a comment; kubectl refuses the file",
            ))
        }));
        length += source.text.len();
        pieces.extend(
            chunks
                .into_iter()
                .map(|chunk| Piece::Chunk(&source.name, chunk)),
        );
    }
    if pieces.is_empty() {
        return manifests;
    }
    let threads = threads(length.div_ceil(SHARE));
    let shares = shares(&pieces, length.div_ceil(threads));
    let read = thread::scope(|scope| {
        let workers: Vec<_> = shares
            .into_iter()
            .map(|share| {
                let builder = thread::Builder::new().stack_size(STACK);
                (share, builder.spawn_scoped(scope, move || read_all(share)))
            })
            .collect();
        let read: Vec<_> = workers
            .into_iter()
            .map(|(share, worker)| match worker.map(ScopedJoinHandle::join) {
                Ok(Ok(read)) => read,
                // no thread to be had, or a bug of the parser: said for every file, nothing is passed over
                _ => gave_up(share),
            })
            .collect();
        read
    });
    for part in read {
        manifests.objects.extend(part.objects);
        manifests.problems.extend(part.problems);
    }
    manifests
}

/// The threads for so many shares of work. A single one does not ask how many there are: the answer costs more than a small file.
pub(crate) fn threads(shares: usize) -> usize {
    match shares {
        0 | 1 => 1,
        _ => thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(shares)
            .min(THREADS),
    }
}

/// Cuts a row of pieces into parts of about `size` bytes each.
fn shares<'p, 'a>(pieces: &'p [Piece<'a>], size: usize) -> Vec<&'p [Piece<'a>]> {
    let (mut shares, mut start, mut filled) = (Vec::new(), 0, 0);
    for (place, piece) in pieces.iter().enumerate() {
        if let Piece::Chunk(_, chunk) = piece {
            filled += chunk.text.len();
        }
        if filled >= size {
            shares.push(&pieces[start..=place]);
            (start, filled) = (place + 1, 0);
        }
    }
    if start < pieces.len() {
        shares.push(&pieces[start..]);
    }
    shares
}

fn gave_up(pieces: &[Piece<'_>]) -> Manifests {
    let mut files: Vec<&str> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Bad(problem) => problem.file.as_str(),
            Piece::Chunk(file, _) => file,
        })
        .collect();
    files.dedup();
    let problem = |file: &&str| Problem::of_file(file, "not readable: the YAML parser gave up");
    Manifests {
        problems: files.iter().map(problem).collect(),
        ..Manifests::default()
    }
}

fn read_all(pieces: &[Piece<'_>]) -> Manifests {
    let mut manifests = Manifests::default();
    for piece in pieces {
        let (file, chunk) = match piece {
            Piece::Bad(problem) => {
                manifests.problems.push(problem.clone());
                continue;
            }
            Piece::Chunk(file, chunk) => (*file, chunk),
        };
        match Node::parse(&chunk.text, chunk.lines_before) {
            Ok(node) => take(file, node, &mut manifests),
            Err(error) => manifests.problems.push(Problem {
                file: file.to_owned(),
                line: error.position.map(|position| position.line),
                column: error.position.map(|position| position.column),
                message: format!("not readable as YAML: {}", error.message),
            }),
        }
    }
    manifests
}

/// What makes manifests of a file of this name, which is none itself.
fn builder(file: &str) -> Option<&'static str> {
    match file.rsplit('/').next()? {
        "kustomization.yaml" | "kustomization.yml" => Some("kustomize build"),
        "Chart.yaml" | "values.yaml" => Some("helm template"),
        _ => None,
    }
}

fn take(file: &str, mut node: Node, manifests: &mut Manifests) {
    let place = node.position();
    let problem = |message: &str| Problem::at(file, place, message);
    if matches!(node.content, Content::Plain(Value::Null)) {
        return;
    }
    if !matches!(node.content, Content::Map(_)) {
        manifests.problems.push(problem(
            "no Kubernetes object: a manifest is a map with apiVersion, kind and metadata",
        ));
        return;
    }
    let text = |key: &str| match node.get(key).map(|value| &value.content) {
        Some(Content::Plain(Value::String(text))) if !text.is_empty() => {
            Some(text.as_str().to_owned())
        }
        _ => None,
    };
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let (Some(_), Some(kind)) = (&api_version, kind) else {
        let missing = if api_version.is_none() {
            "apiVersion"
        } else {
            "kind"
        };
        let builder = builder(file)
            .map(|command| {
                format!("; what `{command}` prints is checked with `… | sluice check -`")
            })
            .unwrap_or_default();
        manifests.problems.push(problem(&format!(
            "no Kubernetes object: `{missing}` is missing or no text{builder}"
        )));
        return;
    };
    let listed = kind.ends_with("List")
        && matches!(
            node.get("items").map(|items| &items.content),
            Some(Content::List(_))
        );
    if listed {
        // moved, not copied: a list may be all there is
        let items = node.take("items").map(|items| items.content);
        if let Some(Content::List(items)) = items {
            for item in items {
                take(file, item, manifests);
            }
        }
        return;
    }
    manifests.objects.push(Object {
        file: file.to_owned(),
        value: node.value(),
        node,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Manifests {
        objects(&[Source {
            name: "x.yaml".into(),
            text: text.into(),
        }])
    }

    #[test]
    fn takes_lists_apart_and_keeps_places() {
        let manifests = read(
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n- apiVersion: batch/v1\n  kind: Job\n  metadata:\n    generateName: b-\n",
        );
        let found: Vec<_> = manifests
            .objects
            .iter()
            .map(|object| (object.kind(), object.name(), object.position().to_string()))
            .collect();
        assert_eq!(
            found,
            [
                ("Pod", "a".to_owned(), "4:3".to_owned()),
                ("Job", "b-*".to_owned(), "7:3".to_owned())
            ]
        );
        assert_eq!(
            manifests.objects[1]
                .locate("metadata.generateName")
                .to_string(),
            "10:5"
        );
        assert!(manifests.problems.is_empty());
    }

    #[test]
    fn a_place_says_what_is_missing_and_keeps_its_name_when_items_move() {
        let text = |containers: &str| {
            format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n{containers}")
        };
        let a = "  - name: a\n    resources: {requests: {cpu: 1}}\n";
        let b = "  - name: b\n";
        let path = |index: usize| format!("spec.containers[{index}].resources.limits.memory");
        let (one, other) = (
            read(&text(&format!("{a}{b}"))),
            read(&text(&format!("{b}{a}"))),
        );
        let (before, after) = (
            one.objects[0].place(&path(0)),
            other.objects[0].place(&path(1)),
        );
        assert_eq!(before.position.to_string(), "6:5");
        assert_eq!(before.missing.as_deref(), Some("limits.memory"));
        assert_eq!(before.anchor, "spec.containers.a.resources.limits.memory");
        assert_eq!((after.anchor, after.position.line), (before.anchor, 7));
        let whole = one.objects[0].place("-");
        assert_eq!((whole.missing, whole.position.line), (None, 1));
        let absent = one.objects[0].place("status.phase");
        assert_eq!(
            (absent.missing.as_deref(), absent.position.line),
            (Some("status.phase"), 1)
        );
        let there = one.objects[0].place("spec.containers[0].resources.requests.cpu");
        assert_eq!(there.missing, None);
    }

    #[test]
    fn many_threads_keep_the_order() {
        let sources: Vec<Source> = (0..40)
            .map(|file| {
                let pad = "x".repeat(file * 499 % 9_000);
                let one = |name: usize| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p{name}, labels: {{a: {pad}}}}}\n");
                let text = format!("{}---\na: [\n---\n{}--- bad\n", one(2 * file), one(2 * file + 1));
                Source { name: format!("{file}.yaml"), text }
            })
            .collect();
        let manifests = objects(&sources);
        let names: Vec<String> = manifests.objects.iter().map(Object::name).collect();
        let expected: Vec<String> = (0..80).map(|name| format!("p{name}")).collect();
        assert_eq!(names, expected);
        let files: Vec<&str> = manifests
            .problems
            .iter()
            .map(|problem| problem.file.as_str())
            .collect();
        let expected: Vec<String> = (0..40)
            .flat_map(|file| [format!("{file}.yaml"), format!("{file}.yaml")])
            .collect();
        assert_eq!(files, expected);
        let all: Vec<Piece<'_>> = (0..7)
            .map(|_| {
                Piece::Chunk(
                    "x",
                    Chunk {
                        text: "abc".into(),
                        lines_before: 0,
                    },
                )
            })
            .collect();
        let sizes: Vec<usize> = shares(&all, 6).into_iter().map(<[_]>::len).collect();
        assert_eq!(sizes, [2, 2, 2, 1]);
    }

    #[test]
    fn one_bad_document_hides_nothing_of_the_others() {
        let good = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
        for (bad, problem) in [
            ("a: [\n", "not readable as YAML"),
            ("1: a\n1: b\n", "x.yaml:6:1: not readable as YAML"),
            ("just text\n", "no Kubernetes object: a manifest is a map"),
            (
                "kind: Pod\n",
                "no Kubernetes object: `apiVersion` is missing",
            ),
            (
                "apiVersion: v1\n",
                "no Kubernetes object: `kind` is missing",
            ),
            (
                "apiVersion: 1\nkind: Pod\n",
                "`apiVersion` is missing or no text",
            ),
            ("x:\n\ty: 1\n", "not readable as YAML"),
        ] {
            let manifests = read(&format!("{good}---\n{bad}---\n{good}"));
            assert_eq!(manifests.objects.len(), 2, "{bad}");
            assert_eq!(
                manifests.problems.len(),
                1,
                "{bad} {:?}",
                manifests.problems
            );
            let text = manifests.problems[0].to_string();
            assert!(text.contains(problem), "{bad}: {text}");
            assert!(text.starts_with("x.yaml:"), "{text}");
        }
    }

    #[test]
    fn a_key_twice_is_told_and_refused_where_the_text_decides_something() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, name: b}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: c}\n";
        let sources = [Source {
            name: "x.yaml".into(),
            text: text.into(),
        }];
        let lenient = objects(&sources);
        assert_eq!((lenient.objects.len(), lenient.problems.len()), (2, 0));
        assert_eq!(lenient.objects[0].name(), "b");
        assert_eq!(lenient.objects[0].duplicates()[0].path, "metadata.name");
        let strict = strict_objects(&sources);
        let names: Vec<_> = strict.objects.iter().map(Object::name).collect();
        assert_eq!(names, ["c"]);
        assert_eq!(
            strict.problems[0].to_string(),
            "x.yaml:3:21: metadata.name occurs twice, first at line 3"
        );
    }

    #[test]
    fn hostile_texts_are_refused_in_bounded_time() {
        let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..10 {
            let below = format!("*a{},", level - 1).repeat(10);
            laughs.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        for (what, text) in [
            ("laughs", laughs),
            ("brackets", "[".repeat(100_000)),
            ("braces", "{a: ".repeat(100_000)),
            ("dashes", "- ".repeat(100_000)),
            ("questions", "? ".repeat(100_000)),
        ] {
            let began = std::time::Instant::now();
            let manifests = read(&text);
            assert_eq!(
                (manifests.objects.len(), manifests.problems.len()),
                (0, 1),
                "{what}"
            );
            // seconds of work, on a machine that does a dozen other things; unbounded it would be years
            assert!(began.elapsed().as_secs() < 120, "{what}");
        }
    }
}
