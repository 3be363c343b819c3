//! Texts and times as they are stored: bounded as the schemas bound them, RFC 3339 with milliseconds.

use jiff::Timestamp;

/// `text`, cut to `most` characters.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
            cut.push('…');
            cut
        }
    }
}

/// RFC 3339 with milliseconds, as every stored time.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// A stored time; `None` when it is absent or was not written by us.
pub(crate) fn stored(time: Option<&str>) -> Option<Timestamp> {
    time?.parse().ok()
}

/// The first ten digits of a template hash: enough for people.
pub(crate) fn short(hash: &str) -> &str {
    hash.get(..10).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_storing_to_the_millisecond_and_texts_stay_in_bounds() {
        let time: Timestamp = "2026-01-02T03:04:05.6789Z".parse().unwrap();
        assert_eq!(rfc3339(time), "2026-01-02T03:04:05.678Z");
        assert_eq!(
            stored(Some("2026-01-02T03:04:05.678Z")).map(rfc3339),
            Some(rfc3339(time))
        );
        assert_eq!(bounded("äöü", 3), "äöü");
        assert_eq!(bounded("äöüß", 3), "äö…");
    }
}
