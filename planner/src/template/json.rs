//! What the hash of a template needs of a JSON value, whichever way it is held: the controller has it as `serde_json` reads it, the webhook in little room.

use serde_json::Number;

/// One value.
#[derive(Clone, Copy, Debug)]
pub enum Look<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(&'a Number),
    /// A text.
    Text(&'a str),
    /// A list: see [`Json::items`].
    List,
    /// An object: see [`Json::entries`].
    Object,
}

/// A JSON value.
pub trait Json: Sized {
    /// What it is.
    fn look(&self) -> Look<'_>;

    /// The items of a list; of anything else none.
    fn items(&self) -> impl Iterator<Item = &Self>;

    /// The entries of an object, each name once, in any order; of anything else none.
    fn entries(&self) -> impl Iterator<Item = (&str, &Self)>;
}

/// Both ways have the same words.
macro_rules! held_as {
    ($($value:ty),+) => {$(
        impl Json for $value {
            fn look(&self) -> Look<'_> {
                match self {
                    Self::Null => Look::Null,
                    Self::Bool(value) => Look::Bool(*value),
                    Self::Number(number) => Look::Number(number),
                    Self::String(text) => Look::Text(text),
                    Self::Array(_) => Look::List,
                    Self::Object(_) => Look::Object,
                }
            }

            fn items(&self) -> impl Iterator<Item = &Self> {
                self.as_array().into_iter().flatten()
            }

            fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
                let entries = self.as_object().into_iter().flatten();
                entries.map(|(name, value)| (name.as_str(), value))
            }
        }
    )+};
}

held_as!(serde_json::Value, sluice_tree::Value);
