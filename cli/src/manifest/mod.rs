//! Manifests as kubectl reads them, with the position of every field.
//!
//! [`source`] reads files, folders, globs and the standard input; [`split`] cuts a text into documents, so that a broken one hides nothing of the others;
//! [`tree`] is one parsed document; [`document`] turns a document into Kubernetes objects, lists taken apart; [`spot`] finds a
//! place inside the text of a field. I/O only in [`source`].

pub mod document;
pub mod path;
pub mod source;
pub mod split;
pub mod spot;
pub mod tree;

use std::fmt;

/// A place in a file, counted from one as editors do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Something that is wrong with the text or the object itself, with its place: no rule was broken, it cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The file as the user named it, `-` for the standard input.
    pub file: String,
    /// The line, when a place is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column, when a place is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// What is wrong, and where it helps, what would pass.
    pub message: String,
}

impl Problem {
    /// A problem with a whole file.
    #[must_use]
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
            message: message.into(),
        }
    }

    /// A problem at a place.
    #[must_use]
    pub fn at(file: &str, position: Position, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(position.line),
            column: Some(position.column),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => {
                write!(f, "{}:{line}:{column}: {}", self.file, self.message)
            }
            _ => write!(f, "{}: {}", self.file, self.message),
        }
    }
}
