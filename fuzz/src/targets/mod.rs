//! What is fuzzed.

mod admission;
mod expression;
mod manifest;
mod policy;
mod quantity;
mod schedule;

use crate::target::Target;

/// Their names.
pub const NAMES: [&str; 6] = [
    "quantity",
    "schedule",
    "expression",
    "policy",
    "manifest",
    "admission",
];

/// The target of a name.
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Target + Send>> {
    Some(match name {
        "quantity" => Box::new(quantity::Quantities),
        "schedule" => Box::new(schedule::Schedules::new()),
        "expression" => Box::new(expression::Expressions::new()),
        "policy" => Box::new(policy::Policies::new()),
        "manifest" => Box::new(manifest::Manifests::new()),
        "admission" => Box::new(admission::Admission::new()),
        _ => return None,
    })
}

/// Words of a row of texts.
fn words(of: &[&str]) -> Vec<String> {
    of.iter().map(|word| (*word).to_owned()).collect()
}

/// Words of a text with blanks between them, and more that hold blanks.
fn words_of(text: &str, more: &[&str]) -> Vec<String> {
    let plain: Vec<&str> = text.split_whitespace().collect();
    words(&[plain.as_slice(), more].concat())
}

/// One case in so many, chosen by its content so that it is the same one in every run.
fn chosen(case: &[u8], one_in: u64) -> bool {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    case.hash(&mut hasher);
    hasher.finish().is_multiple_of(one_in)
}

/// Fails with a message when something does not hold.
fn holds(what: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if what { Ok(()) } else { Err(message()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_target() {
        for name in NAMES {
            assert_eq!(by_name(name).map(|target| target.name()), Some(name));
        }
        assert!(by_name("").is_none());
    }
}
