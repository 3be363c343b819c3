//! Spans of time as kubectl prints them.

use jiff::{SignedDuration, Timestamp};

/// How long ago `then` was, in the largest unit that says enough: `12s`, `5m`, `3h`, `2d`. What cannot be read is `?`.
#[must_use]
pub fn since(then: Option<&str>, now: Timestamp) -> String {
    match then.map(str::parse::<Timestamp>) {
        None => String::new(),
        Some(Err(_)) => "?".to_owned(),
        Some(Ok(then)) => span(now.duration_since(then)),
    }
}

/// A span in the largest unit that says enough.
#[must_use]
pub fn span(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_as_much_as_is_needed() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        for (then, text) in [
            (None, ""),
            (Some("2026-01-01T23:59:48Z"), "12s"),
            (Some("2026-01-01T23:55:00.5Z"), "4m"),
            (Some("2026-01-01T12:00:00Z"), "12h"),
            (Some("2025-12-01T00:00:00Z"), "32d"),
            (Some("2026-01-02T00:00:09Z"), "0s"),
            (Some("yesterday"), "?"),
        ] {
            assert_eq!(since(then, now), text);
        }
    }
}
