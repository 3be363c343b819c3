//! The forms in which reads can be printed.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::generate::yaml;

/// How a read is printed.
#[derive(Args, Clone, Copy, Debug)]
pub struct Output {
    /// Text for people, or the whole answer for programs
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// The forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
}

impl Format {
    /// The answer for programs, or else what `text` makes of it.
    ///
    /// # Errors
    /// When the answer cannot be written.
    pub fn show<T: Serialize>(
        self,
        answer: &T,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<String> {
        Ok(match self {
            Self::Text => text(),
            Self::Json => format!("{}\n", serde_json::to_string_pretty(answer)?),
            Self::Yaml => yaml::document(answer)?,
        })
    }
}
