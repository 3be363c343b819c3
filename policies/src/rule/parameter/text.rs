//! Parameters that cannot be compared: texts, sets of texts, yes or no.

use sluice_tree::Value;

use crate::view::field_text;

/// The longest text that a parameter takes, in bytes: that of a DNS name.
const LONGEST: usize = 253;

/// Which texts are meant.
#[derive(Clone, Copy, Debug)]
pub struct TextForm {
    /// In words: `a host with an optional path, such as registry.example.org/team`.
    pub passes: &'static str,
    /// Whether a text is one of them; the empty text and texts above 253 bytes never are.
    pub holds: fn(&str) -> bool,
}

impl TextForm {
    fn accepts(&self, text: &str) -> bool {
        !text.is_empty() && text.len() <= LONGEST && (self.holds)(text)
    }
}

/// Yes or no.
#[derive(Debug)]
pub struct BoolParameter {
    /// Its name.
    pub name: &'static str,
    /// Its value unless a policy sets it.
    pub default: bool,
    /// What it decides.
    pub meaning: &'static str,
}

/// A text.
#[derive(Debug)]
pub struct TextParameter {
    /// Its name.
    pub name: &'static str,
    /// Its value unless a policy sets it.
    pub default: &'static str,
    /// Which texts are accepted.
    pub form: TextForm,
    /// What it decides.
    pub meaning: &'static str,
}

impl TextParameter {
    pub(super) fn read(&self, value: &Value) -> Option<String> {
        value
            .as_str()
            .filter(|text| self.form.accepts(text))
            .map(str::to_owned)
    }
}

/// A set of texts: their order and repetitions mean nothing.
#[derive(Debug)]
pub struct TextsParameter {
    /// Its name.
    pub name: &'static str,
    /// Its texts unless a policy sets it, sorted.
    pub default: &'static [&'static str],
    /// The fewest texts that a policy may write.
    pub least: usize,
    /// The most texts that a policy may write.
    pub most: usize,
    /// Which texts are accepted.
    pub form: TextForm,
    /// What they decide.
    pub meaning: &'static str,
}

/// What is wrong with a list: itself, or one item. With what was found.
pub(super) enum WrongList {
    Whole(String),
    Item(usize, String),
}

impl TextsParameter {
    pub(super) fn accepted(&self) -> String {
        let Self { least, most, .. } = self;
        format!("{least} to {most} texts, each {}", self.form.passes)
    }

    pub(super) fn read(&self, value: &Value) -> Result<Vec<String>, WrongList> {
        let items = value
            .as_array()
            .ok_or_else(|| WrongList::Whole(field_text(value)))?;
        if !(self.least..=self.most).contains(&items.len()) {
            let found = match items.len() {
                0 => "an empty list".to_owned(),
                1 => "1 text".to_owned(),
                count => format!("{count} texts"),
            };
            return Err(WrongList::Whole(found));
        }
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str() {
                Some(text) if self.form.accepts(text) => texts.push(text.to_owned()),
                Some(text) if text.len() > LONGEST => {
                    let found = format!("a text of {} bytes", text.len());
                    return Err(WrongList::Item(index, found));
                }
                _ => return Err(WrongList::Item(index, field_text(item))),
            }
        }
        texts.sort();
        texts.dedup();
        Ok(texts)
    }
}
