//! Cuts a text into documents before any of them is parsed, as kubectl does: a broken document hides nothing of its neighbours.

use std::borrow::Cow;

use super::Position;

/// One document of a text, not parsed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Its text.
    pub text: Cow<'a, str>,
    /// How many lines of the file stand before it.
    pub lines_before: u64,
}

/// A document separator with something behind it that kubectl does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSeparator {
    /// Where it stands.
    pub position: Position,
}

/// The documents of a text. Chunks of nothing but blanks, comments and directives are left out.
#[must_use]
pub fn chunks(text: &str) -> (Vec<Chunk<'_>>, Vec<BadSeparator>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(chunks) = json_chunks(text) {
        return (chunks, Vec::new());
    }
    let (mut chunks, mut bad) = (Vec::new(), Vec::new());
    let (mut start, mut lines_before, mut offset) = (0, 0, 0);
    let mut cut = |from: usize, to: usize, lines_before: u64| {
        if !is_blank(&text[from..to]) {
            chunks.push(Chunk {
                text: Cow::Borrowed(&text[from..to]),
                lines_before,
            });
        }
    };
    for (line, content) in (1u64..).zip(text.split_inclusive('\n')) {
        if let Some(behind) = content.strip_prefix("---") {
            let behind_trimmed = behind.trim();
            let separates = behind_trimmed.is_empty()
                || behind_trimmed.starts_with('#')
                // `----` and the like are text, not separators
                || behind.starts_with([' ', '\t']);
            if separates {
                cut(start, offset, lines_before);
                start = offset + content.len();
                lines_before = line;
                if !behind_trimmed.is_empty() && !behind_trimmed.starts_with('#') {
                    bad.push(BadSeparator {
                        position: Position { line, column: 5 },
                    });
                }
            }
        }
        offset += content.len();
    }
    cut(start, text.len(), lines_before);
    (chunks, bad)
}

/// Whether nothing but blanks, comments, directives and document ends is in a text.
fn is_blank(text: &str) -> bool {
    text.lines().all(|line| {
        let trimmed = line.trim();
        trimmed.is_empty() || trimmed.starts_with('#') || line.starts_with('%') || trimmed == "..."
    })
}

/// A text that is a row of JSON objects. `None` when it is not, so that it is read as YAML.
fn json_chunks(text: &str) -> Option<Vec<Chunk<'_>>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut chunks = Vec::new();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let mut start = 0;
    while let Some(value) = values.next() {
        value.ok()?;
        let end = values.byte_offset();
        let newlines = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count() as u64;
        // tabs between JSON tokens are blanks; YAML, whose parser tells the positions, is pickier
        let text = &text[start..end];
        let text = if text.contains('\t') {
            Cow::Owned(text.replace('\t', " "))
        } else {
            Cow::Borrowed(text)
        };
        let before = chunks.last().map_or(0, |last: &Chunk<'_>| {
            last.lines_before + newlines(&last.text)
        });
        chunks.push(Chunk {
            text,
            lines_before: before,
        });
        start = end;
    }
    Some(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(String, u64)> {
        chunks(text)
            .0
            .into_iter()
            .map(|chunk| (chunk.text.trim().to_owned(), chunk.lines_before))
            .collect()
    }

    #[test]
    fn cuts_where_kubectl_cuts() {
        for (text, documents) in [
            ("", vec![]),
            ("---", vec![]),
            ("---\n---\n# nothing\n", vec![]),
            ("a: 1", vec![("a: 1", 0)]),
            ("\u{feff}a: 1", vec![("a: 1", 0)]),
            ("a: 1\n---\nb: 2\n", vec![("a: 1", 0), ("b: 2", 2)]),
            ("a: 1\r\n---\r\nb: 2\r\n", vec![("a: 1", 0), ("b: 2", 2)]),
            (
                "---  # first\na: 1\n---\t\n\n# c\n---\nb: 2",
                vec![("a: 1", 1), ("b: 2", 6)],
            ),
            ("%YAML 1.1\n---\na: 1\n...\n", vec![("a: 1\n...", 2)]),
            (
                "a: |\n  x\n  ---\n  y\n---\nb: 2",
                vec![("a: |\n  x\n  ---\n  y", 0), ("b: 2", 5)],
            ),
            ("----\na: 1", vec![("----\na: 1", 0)]),
            (
                "{\"a\": 1}\n\n{\"b\": 2}\n",
                vec![("{\"a\": 1}", 0), ("{\"b\": 2}", 0)],
            ),
            ("{a: 1}\n---\n{b: 2}", vec![("{a: 1}", 0), ("{b: 2}", 2)]),
        ] {
            let expected: Vec<_> = documents
                .into_iter()
                .map(|(text, line)| (text.to_owned(), line))
                .collect();
            assert_eq!(cut(text), expected, "{text:?}");
        }
    }

    #[test]
    fn says_where_a_separator_is_followed_by_something() {
        let (chunks, bad) = chunks("a: 1\n--- b: 2\nc: 3\n");
        assert_eq!(chunks.len(), 2);
        assert_eq!(
            bad,
            [BadSeparator {
                position: Position { line: 2, column: 5 }
            }]
        );
    }
}
