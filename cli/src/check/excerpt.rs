//! The line of a file that a finding is about, with carets under the spot. Pure: from texts and places to text.

use std::{cell::OnceCell, collections::BTreeMap};

use crate::{
    console::{Style, Tone},
    manifest::{Position, source::Source},
};

/// How many characters of a line are shown: a manifest in one long line must not flood the reader.
const WIDTH: usize = 100;
/// How many of them may stand before the spot.
const BEFORE: usize = 60;

/// The texts that were read, by the name the user knows them by.
#[derive(Debug)]
pub struct Excerpts<'a> {
    texts: BTreeMap<&'a str, Text<'a>>,
    /// Where fields begin whose values are not shown, by file and line.
    hidden: BTreeMap<(String, u64), Vec<u64>>,
}

#[derive(Debug)]
struct Text<'a> {
    text: &'a str,
    /// Where the lines start, looked for once something is shown of the text.
    starts: OnceCell<Vec<usize>>,
}

impl<'a> Excerpts<'a> {
    /// Of these texts; of a name that occurs twice the last one.
    pub fn new(sources: impl IntoIterator<Item = &'a Source>) -> Self {
        let texts = sources
            .into_iter()
            .map(|source| {
                let text = Text {
                    text: &source.text,
                    starts: OnceCell::new(),
                };
                (source.name.as_str(), text)
            })
            .collect();
        Self {
            texts,
            hidden: BTreeMap::new(),
        }
    }

    /// The value of the field at this place is not shown, whatever the line is shown for.
    pub fn hide(&mut self, file: &str, place: Position) {
        self.hidden
            .entry((file.to_owned(), place.line))
            .or_default()
            .push(place.column);
    }

    /// The line at a place with carets under what begins there, and `label` behind the carets. Empty when the file or the line is not known.
    #[must_use]
    pub fn show(
        &self,
        file: &str,
        place: Position,
        label: &str,
        style: Style,
        tone: Tone,
    ) -> String {
        let Some(line) = self.line(file, place.line) else {
            return String::new();
        };
        let shown = match self.hidden.get(&(file.to_owned(), place.line)) {
            Some(columns) => Shown::of(&without_values(line, columns), place.column),
            None => Shown::of(line, place.column),
        };
        let number = format!("{:>5} | ", place.line);
        let blank = format!("{:>5} | ", "");
        let mut carets = "^".repeat(shown.length);
        if !label.is_empty() {
            carets.push(' ');
            carets.push_str(label);
        }
        format!(
            "{}{}\n{}{}{}\n",
            style.paint(Tone::Quiet, &number),
            shown.text,
            style.paint(Tone::Quiet, &blank),
            " ".repeat(shown.before),
            style.paint(tone, &carets)
        )
    }

    fn line(&self, file: &str, number: u64) -> Option<&'a str> {
        let Text { text, starts } = self.texts.get(file)?;
        let starts = starts.get_or_init(|| {
            let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0)
                .chain(breaks.map(|(at, _)| at + 1))
                .collect()
        });
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let start = *starts.get(index)?;
        let end = starts.get(index + 1).map_or(text.len(), |next| next - 1);
        let line = text.get(start..end)?;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

/// A line as it is shown.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    text: String,
    /// How many characters stand before the spot.
    before: usize,
    /// How many belong to it.
    length: usize,
}

impl Shown {
    fn of(line: &str, column: u64) -> Self {
        // a byte order mark is no character of the first line
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        // a tab and whatever plays tricks on a terminal count as the one character they are
        let characters: Vec<char> = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let at = usize::try_from(column)
            .unwrap_or(usize::MAX)
            .saturating_sub(1)
            .min(characters.len());
        let length = spot(&characters, at).max(1);
        let from = if characters.len() > WIDTH {
            at.saturating_sub(BEFORE)
        } else {
            0
        };
        let to = characters.len().min(from + WIDTH);
        let mut text: String = characters[from..to].iter().collect();
        let mut before = at - from;
        if from > 0 {
            text.insert(0, '…');
            before += 1;
        }
        text.truncate(text.trim_end().len());
        if to < characters.len() {
            text.push('…');
        }
        Self {
            text,
            before,
            length: length.min(to.saturating_sub(at).max(1)),
        }
    }
}

/// The line with dots for the values of the fields at these columns.
fn without_values(line: &str, columns: &[u64]) -> String {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let mut characters: Vec<char> = line.chars().collect();
    for column in columns {
        let at = usize::try_from(*column)
            .unwrap_or(usize::MAX)
            .saturating_sub(1)
            .min(characters.len());
        // to the end of the line where the value does not end on it
        let end = match at + spot(&characters, at) {
            end if end > at => end,
            _ => characters.len(),
        };
        let field = &characters[at..end];
        let value = field
            .iter()
            .position(|c| *c == ':')
            .map_or(0, |colon| colon + 1);
        for c in characters[at + value..end]
            .iter_mut()
            .filter(|c| **c != ' ')
        {
            *c = '•';
        }
    }
    characters.into_iter().collect()
}

/// How many characters from `at` on are one field or one item: to its end on this line, without what follows it in a flow map or a comment.
fn spot(line: &[char], at: usize) -> usize {
    let open = |c: &&char| matches!(c, '{' | '[');
    let close = |c: &&char| matches!(c, '}' | ']');
    let in_flow = line[..at].iter().filter(open).count() > line[..at].iter().filter(close).count();
    let (mut depth, mut quote, mut end) = (0_usize, None, at);
    for (index, &c) in line.iter().enumerate().skip(at) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') if depth == 0 => break,
            (None, '}' | ']') => depth -= 1,
            (None, ',') if depth == 0 && in_flow => break,
            (None, '#') if index > at && line[index - 1] == ' ' => break,
            _ => {}
        }
        if c != ' ' {
            end = index + 1;
        }
    }
    end - at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, column: u64) -> String {
        let shown = Shown::of(line, column);
        format!(
            "{}\n{}{}",
            shown.text,
            " ".repeat(shown.before),
            "^".repeat(shown.length)
        )
    }

    #[test]
    fn carets_stand_under_the_field_and_nothing_else() {
        for (line, column, expected) in [
            ("spec:", 1, "spec:\n^^^^^"),
            (
                "  backoffLimit: 6  # why",
                3,
                "  backoffLimit: 6  # why\n  ^^^^^^^^^^^^^^^",
            ),
            (
                "a: {name: x, image: y}",
                5,
                "a: {name: x, image: y}\n    ^^^^^^^",
            ),
            (
                "a: {name: x, image: y}",
                14,
                "a: {name: x, image: y}\n             ^^^^^^^^",
            ),
            ("- name: 'a, b'", 3, "- name: 'a, b'\n  ^^^^^^^^^^^^"),
            ("a: b, c", 1, "a: b, c\n^^^^^^^"),
            (
                "limits: {cpu: 1, memory: {}}",
                1,
                "limits: {cpu: 1, memory: {}}\n^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
            ),
            ("url: http://a/#b", 1, "url: http://a/#b\n^^^^^^^^^^^^^^^^"),
            ("\tx: 1", 2, " x: 1\n ^^^^"),
            ("größe: 1", 1, "größe: 1\n^^^^^^^^"),
            ("", 1, "\n^"),
            ("ab", 99, "ab\n  ^"),
            ("\u{feff}a: 1", 1, "a: 1\n^^^^"),
        ] {
            assert_eq!(shown(line, column), expected, "{line:?} {column}");
        }
    }

    #[test]
    fn a_hidden_value_is_shown_for_no_finding_of_its_line() {
        let hidden = Position {
            line: 1,
            column: 19,
        };
        for (line, place, expected) in [
            (
                "env: [{name: KEY, value: hunter2}, {name: B}]",
                1,
                "    1 | env: [{name: KEY, value: •••••••}, {name: B}]",
            ),
            (
                "env: [{name: KEY, \"value\":\"hunter: 2\"}]",
                19,
                "    1 | env: [{name: KEY, \"value\":•••••••• ••}]",
            ),
            (
                "                  value: hunter2",
                19,
                "    1 |                   value: •••••••",
            ),
            (
                "                  value: |",
                19,
                "    1 |                   value: •",
            ),
        ] {
            let sources = [Source {
                name: "x".into(),
                text: line.into(),
            }];
            let mut excerpts = Excerpts::new(&sources);
            excerpts.hide("x", hidden);
            let place = Position {
                line: 1,
                column: place,
            };
            let pipe = Style { terminal: false };
            let text = excerpts.show("x", place, "", pipe, Tone::Bad);
            assert_eq!(text.lines().next(), Some(expected));
        }
    }

    #[test]
    fn a_manifest_in_one_line_shows_a_window() {
        let line = format!(
            "{{{}\"b\": 1, {}}}",
            "\"a\": 1, ".repeat(100),
            "\"c\": 2, ".repeat(100)
        );
        let text = shown(&line, 802);
        let (line, carets) = text.split_once('\n').unwrap();
        assert!(line.starts_with('…') && line.ends_with('…'), "{line}");
        assert!(
            (WIDTH..=WIDTH + 2).contains(&line.chars().count()),
            "{line}"
        );
        let at = carets.chars().count() - 6;
        assert_eq!(
            line.chars().skip(at).take(6).collect::<String>(),
            "\"b\": 1"
        );
    }

    #[test]
    fn lines_are_found_whatever_ends_them() {
        let sources = [Source {
            name: "x".into(),
            text: "a: 1\r\nb: 2\n\nc: 3".into(),
        }];
        let excerpts = Excerpts::new(&sources);
        let lines: Vec<_> = (0..6).map(|number| excerpts.line("x", number)).collect();
        assert_eq!(
            lines,
            [
                None,
                Some("a: 1"),
                Some("b: 2"),
                Some(""),
                Some("c: 3"),
                None
            ]
        );
        assert_eq!(excerpts.line("y", 1), None);
        let pipe = Style { terminal: false };
        let place = Position { line: 2, column: 1 };
        assert_eq!(
            excerpts.show("x", place, "no c here", pipe, Tone::Bad),
            "    2 | b: 2\n      | ^^^^ no c here\n"
        );
    }
}
