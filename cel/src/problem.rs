//! Why a text is no program: what, where, and what would pass.

use std::fmt;

/// One mistake in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from one.
    pub line: usize,
    /// The column in characters, counted from one.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would pass.
    pub suggestion: Option<String>,
    excerpt: String,
}

/// How much of a line an excerpt shows before and after the spot.
const AROUND: usize = 50;

impl Problem {
    /// A mistake at a byte of a text.
    pub(crate) fn at(text: &str, byte: usize, message: impl Into<String>) -> Self {
        let (line, column) = place(text, byte);
        Self {
            line,
            column,
            message: message.into(),
            suggestion: None,
            excerpt: excerpt(text, line, column),
        }
    }

    pub(crate) fn at_place(
        text: &str,
        line: usize,
        column: usize,
        message: impl Into<String>,
    ) -> Self {
        let last = text.split('\n').count().max(1);
        let line = line.clamp(1, last);
        let length = text
            .split('\n')
            .nth(line - 1)
            .map_or(0, |line| line.chars().count());
        let column = column.clamp(1, length + 1);
        Self {
            line,
            column,
            message: message.into(),
            suggestion: None,
            excerpt: excerpt(text, line, column),
        }
    }

    pub(crate) fn or(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// The line of the text with a caret under the spot, two lines without a line end. Control characters are shown as spaces.
    #[must_use]
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; {suggestion}")?;
        }
        Ok(())
    }
}

/// Line and column of a byte, counted from one, columns in characters.
pub(crate) fn place(text: &str, byte: usize) -> (usize, usize) {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    let before = &text[..byte];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

fn excerpt(text: &str, line: usize, column: usize) -> String {
    let Some(line) = text.split('\n').nth(line - 1) else {
        return String::new();
    };
    let skipped = (column - 1).saturating_sub(AROUND);
    let shown: String = line
        .chars()
        .skip(skipped)
        .take(2 * AROUND)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let cut = if skipped > 0 { "…" } else { "" };
    let pad = column - 1 - skipped + usize::from(skipped > 0);
    format!("{cut}{}\n{}^", shown.trim_end(), " ".repeat(pad))
}
