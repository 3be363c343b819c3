//! Texts that the API server has to read: quantities, spans and points of time, base64.

use sluice_tree::Value;

use crate::capacity::Quantity;

/// A quantity that was meant, where it can be guessed: `512MB` is `512M`, `1 gi` is `1Gi`.
pub(super) fn meant_quantity(text: &str) -> Option<String> {
    if text.len() > 64 {
        return None;
    }
    let text: String = text.chars().filter(|one| !one.is_whitespace()).collect();
    let at = text.find(|one: char| one.is_ascii_alphabetic())?;
    let (amount, unit) = text.split_at(at);
    let unit = match unit.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" | "core" | "cores" | "cpu" => "",
        "k" | "kb" => "k",
        "ki" | "kib" => "Ki",
        "mb" | "mega" => "M",
        "mi" | "mib" => "Mi",
        "g" | "gb" | "giga" => "G",
        "gi" | "gib" => "Gi",
        "t" | "tb" => "T",
        "ti" | "tib" => "Ti",
        "p" | "pb" => "P",
        "pi" | "pib" => "Pi",
        "milli" | "millicpu" | "millicores" => "m",
        _ => return None,
    };
    let meant = format!("{}{unit}", amount.replace(',', "."));
    is_quantity(&Value::from(meant.as_str())).then_some(meant)
}

pub(super) fn is_quantity(value: &Value) -> bool {
    Quantity::of(value).is_ok()
}

/// RFC 3339, as the API server reads times.
pub(super) fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|one| one.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let sign = |at: usize, wanted: u8| bytes.get(at) == Some(&wanted);
    let (Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)) = (
        number(0, 4),
        number(5, 7),
        number(8, 10),
        number(11, 13),
        number(14, 16),
        number(17, 19),
    ) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    let read = sign(4, b'-') && sign(7, b'-') && sign(10, b'T') && sign(13, b':') && sign(16, b':');
    if !read || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return false;
    }
    let mut rest = text.get(19..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    let zone = rest.as_bytes();
    rest == "Z"
        || (zone.len() == 6
            && matches!(zone[0], b'+' | b'-')
            && zone[3] == b':'
            && [1, 2, 4, 5].iter().all(|at| zone[*at].is_ascii_digit())
            && rest.get(1..3).is_some_and(|hours| hours < "24")
            && rest.get(4..6).is_some_and(|minutes| minutes < "60"))
}

/// A span as custom definitions with `format: duration` take it: what Go reads (`1h30m`, `-1.5s`, `0`), or numbers with words (`3 days`).
pub(super) fn is_duration(text: &str) -> bool {
    is_go_duration(text) || is_worded_duration(text)
}

fn is_go_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let end = rest
            .find(|one: char| !one.is_ascii_digit() && one != '.')
            .unwrap_or(rest.len());
        let number = &rest[..end];
        if !number.bytes().any(|one| one.is_ascii_digit()) || number.matches('.').count() > 1 {
            return false;
        }
        rest = &rest[end..];
        let Some(after) = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"]
            .iter()
            .filter_map(|unit| rest.strip_prefix(unit))
            .min_by_key(|after| after.len())
        else {
            return false;
        };
        rest = after;
    }
    true
}

fn is_worded_duration(text: &str) -> bool {
    const WORDS: [&str; 32] = [
        "ns",
        "nano",
        "nanosecond",
        "us",
        "µs",
        "micro",
        "microsecond",
        "ms",
        "milli",
        "millisecond",
        "s",
        "sec",
        "second",
        "m",
        "min",
        "minute",
        "h",
        "hr",
        "hour",
        "d",
        "day",
        "w",
        "wk",
        "week",
        "nanos",
        "micros",
        "millis",
        "secs",
        "mins",
        "hrs",
        "wks",
        "",
    ];
    let mut rest = text.trim();
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let after = rest[digits..].trim_start();
        let letters = after
            .find(|one: char| !one.is_alphabetic())
            .unwrap_or(after.len());
        let word = after[..letters].to_lowercase();
        let known = |word: &str| !word.is_empty() && WORDS.contains(&word);
        if digits == 0 || !(known(&word) || word.strip_suffix('s').is_some_and(known)) {
            return false;
        }
        rest = after[letters..].trim_start();
    }
    true
}

/// Base64 as Go decodes it: the standard alphabet with padding, line breaks passed over.
pub(super) fn is_base64(text: &str) -> bool {
    let (mut symbols, mut padding) = (0_usize, 0_usize);
    for one in text.bytes() {
        match one {
            b'\r' | b'\n' => {}
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => symbols += 1,
            _ => return false,
        }
    }
    (symbols + padding) % 4 == 0 && padding <= 2 && symbols % 4 != 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_as_the_api_server() {
        for (text, is) in [
            ("2026-01-31T12:00:00Z", true),
            ("2024-02-29T23:59:59.123456Z", true),
            ("2026-01-31T12:00:00+02:00", true),
            ("2026-02-29T12:00:00Z", false),
            ("2026-01-31", false),
            ("2026-01-31T12:00:00", false),
            ("2026-01-31 12:00:00Z", false),
            ("2026-13-01T12:00:00Z", false),
            ("2026-01-31T24:00:00Z", false),
            ("2026-01-31T12:00:00.Z", false),
            ("2026-01-31T12:00:00+2:00", false),
            ("2026-01-31T12:00:00+99:00", false),
            ("", false),
            ("ä026-01-31T12:00:00Z", false),
        ] {
            assert_eq!(is_time(text), is, "{text}");
        }
    }

    #[test]
    fn reads_spans_as_definitions_take_them() {
        for (text, is) in [
            ("1h30m", true),
            ("-1.5s", true),
            ("0", true),
            ("10ms", true),
            ("5µs", true),
            ("22 ns", true),
            ("3 days", true),
            ("1 week 2 hours", true),
            ("2d", true),
            ("", false),
            ("5", false),
            ("5 parsecs", false),
            ("h", false),
            ("1..5s", false),
            ("ten minutes", false),
            ("5m later", false),
        ] {
            assert_eq!(is_duration(text), is, "{text}");
        }
    }

    #[test]
    fn tells_base64_from_plain_text() {
        for (text, is) in [
            ("", true),
            ("aHVudGVyMg==", true),
            ("aHVu\ndGVy\n", true),
            ("Cg==", true),
            ("hunter2", false),
            ("hunter22", true),
            ("aHVudGVyMg", false),
            ("aHVu=dGV", false),
            ("pass word", false),
            ("a===", false),
            ("ä", false),
        ] {
            assert_eq!(is_base64(text), is, "{text}");
        }
    }

    #[test]
    fn guesses_the_quantity_that_was_meant() {
        for (text, meant) in [
            ("512MB", Some("512M")),
            ("1 Gi", Some("1Gi")),
            ("1gi", Some("1Gi")),
            ("2GiB", Some("2Gi")),
            ("0,5G", Some("0.5G")),
            ("2 cores", Some("2")),
            ("250millicores", Some("250m")),
            ("lots", None),
            ("", None),
            ("5 parsecs", None),
        ] {
            assert_eq!(meant_quantity(text).as_deref(), meant, "{text}");
        }
    }
}
