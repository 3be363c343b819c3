//! What goes to the terminal or into a pipe.

use std::io::{self, IsTerminal, Write};

/// How a piece of text is shown on a terminal; in a pipe it is plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Well.
    Good,
    /// Bad.
    Bad,
    /// Not well, not bad.
    Doubtful,
    /// Of less weight.
    Quiet,
    /// Of more weight.
    Strong,
}

/// Whether and how text is dressed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether the reader is a terminal: icons and colours.
    pub terminal: bool,
}

impl Style {
    /// For the standard output: a terminal, unless `NO_COLOR` is set.
    #[must_use]
    pub fn of_stdout() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            terminal: io::stdout().is_terminal() && !plain,
        }
    }

    /// `text` in a tone.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.terminal || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Doubtful => "33",
            Tone::Quiet => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// An icon before a word, only on a terminal.
    #[must_use]
    pub fn icon(self, icon: &str, tone: Tone) -> String {
        if self.terminal {
            format!("{} ", self.paint(tone, icon))
        } else {
            String::new()
        }
    }
}

/// Writes to the standard output. A reader that went away is no error: it has read what it wanted.
///
/// # Errors
/// When the output cannot be written for another reason.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A text on a terminal that is drawn anew in its place. What stood above it stays, and so does its last form.
#[derive(Debug, Default)]
pub struct Redrawn {
    text: String,
    rows: usize,
}

impl Redrawn {
    /// Draws `text` in the place of the last one; as much of it as the terminal holds.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn draw(&mut self, text: &str) -> io::Result<()> {
        if text == self.text {
            return Ok(());
        }
        let (columns, rows) = terminal_size::terminal_size().map_or((80, 24), |(width, height)| {
            (usize::from(width.0), usize::from(height.0))
        });
        let (shown, count) = fitted(text, columns.max(1), rows.max(2));
        let back = match self.rows {
            0 => String::new(),
            rows => format!("\u{1b}[{rows}A"),
        };
        text.clone_into(&mut self.text);
        self.rows = count;
        print(&format!("{back}\r\u{1b}[J{shown}"))
    }
}

/// As many lines as fit above the last row, where the cursor stays, and how many rows they take.
fn fitted(text: &str, columns: usize, rows: usize) -> (String, usize) {
    let (mut shown, mut used) = (String::new(), 0);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let takes = width(line).div_ceil(columns).max(1);
        // the last row but one is kept for saying that there is more
        let room = rows - 1 - usize::from(lines.peek().is_some());
        if used + takes > room {
            shown.push_str("…\n");
            return (shown, used + 1);
        }
        shown.push_str(line);
        shown.push('\n');
        used += takes;
    }
    (shown, used)
}

/// How many characters of a line are seen: colours are not.
fn width(line: &str) -> usize {
    let (mut width, mut hidden) = (0, false);
    for c in line.chars() {
        match (hidden, c) {
            (false, '\u{1b}') => hidden = true,
            (true, c) => hidden = !c.is_ascii_alphabetic(),
            (false, _) => width += 1,
        }
    }
    width
}

/// A text of several lines, each without control characters: an expression with a caret under it.
#[must_use]
pub fn lines(text: &str) -> String {
    text.lines().map(one_line).collect::<Vec<_>>().join("\n")
}

/// Text from outside on one line, without control characters that could play tricks on a terminal.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// An error with its causes on one line, from what was tried to why it failed. A cause that was told already is left out: errors of other crates repeat
/// theirs in their own words.
#[must_use]
pub fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Rows in columns, as kubectl prints them.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(cells) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(cell.chars().count()) + 3));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gets_plain_text() {
        let (pipe, terminal) = (Style { terminal: false }, Style { terminal: true });
        assert_eq!(pipe.paint(Tone::Bad, "no"), "no");
        assert_eq!(pipe.icon("✖", Tone::Bad), "");
        assert!(terminal.paint(Tone::Bad, "no").contains("\u{1b}[31m"));
    }

    #[test]
    fn a_text_that_is_drawn_anew_fits_the_terminal() {
        for (text, columns, rows, shown, used) in [
            ("a\nb\n", 10, 5, "a\nb\n", 2),
            ("a\nb\nc\nd\n", 10, 5, "a\nb\nc\nd\n", 4),
            ("a\nb\nc\nd\ne\n", 10, 5, "a\nb\nc\n…\n", 4),
            // a long line takes several rows, colours none
            ("0123456789ab\nb\n", 10, 5, "0123456789ab\nb\n", 3),
            (
                "\u{1b}[31m0123456789\u{1b}[0m\nb\n",
                10,
                5,
                "\u{1b}[31m0123456789\u{1b}[0m\nb\n",
                2,
            ),
            ("\na\n", 10, 5, "\na\n", 2),
            ("", 10, 5, "", 0),
        ] {
            assert_eq!(
                fitted(text, columns, rows),
                (shown.to_owned(), used),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{said}")]
        struct Failed {
            said: &'static str,
            #[source]
            source: Option<Box<Failed>>,
        }
        let failed = |said, source: Option<Failed>| Failed {
            said,
            source: source.map(Box::new),
        };
        for (causes, told) in [
            (
                vec!["cannot read a", "no such file"],
                "cannot read a: no such file",
            ),
            (
                vec![
                    "a cannot be used",
                    "cannot read a: no such file",
                    "no such file",
                ],
                "a cannot be used: cannot read a: no such file",
            ),
            (vec!["no file", "no", "disk full"], "no file: disk full"),
            (vec!["one"], "one"),
        ] {
            let error = causes
                .into_iter()
                .rev()
                .fold(None, |source, said| Some(failed(said, source)));
            assert_eq!(chain(&anyhow::Error::new(error.unwrap())), told);
        }
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["a".to_owned(), "größer".to_owned(), String::new()],
            vec!["long".to_owned(), "b".to_owned(), "c".to_owned()],
        ];
        assert_eq!(
            table(&["X", "Y", "Z"], &rows),
            "X      Y        Z\na      größer\nlong   b        c\n"
        );
    }
}
