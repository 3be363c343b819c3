//! The span of `@every`, written as durations are in Go: `90m`, `1h30m`, `1.5h`.

/// The longest span, in nanoseconds.
const LONGEST: u128 = i64::MAX as u128;
const SECOND: u128 = 1_000_000_000;

/// The span in whole seconds, at least one; `None` when the text is no span.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let nanos = if unsigned == "0" { 0 } else { sum(unsigned)? };
    // what is no second long, or lies in the past, is taken for a second
    if negative || nanos < SECOND {
        return Some(1);
    }
    u64::try_from(nanos / SECOND).ok()
}

fn sum(text: &str) -> Option<u128> {
    if text.is_empty() {
        return None;
    }
    let (mut rest, mut nanos) = (text, 0u128);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (whole, after) = rest.split_at(end);
        let (fraction, after) = match after.strip_prefix('.') {
            None => ("", after),
            Some(after) => {
                let end = after.find(|c: char| !c.is_ascii_digit())?;
                after.split_at(end)
            }
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let unit = unit(name)?;
        let whole: u128 = match whole {
            "" => 0,
            digits => digits.parse().ok()?,
        };
        nanos = whole
            .checked_mul(unit)?
            .checked_add(part(fraction, unit)?)?
            .checked_add(nanos)?;
        if nanos > LONGEST {
            return None;
        }
        rest = after;
    }
    Some(nanos)
}

/// The fraction of a unit; digits beyond the nanosecond of an hour say nothing.
fn part(fraction: &str, unit: u128) -> Option<u128> {
    let digits = fraction.get(..fraction.len().min(18))?;
    if digits.is_empty() {
        return Some(0);
    }
    let number: u128 = digits.parse().ok()?;
    let scale = 10u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    Some(number.checked_mul(unit)? / scale)
}

fn unit(name: &str) -> Option<u128> {
    Some(match name {
        "ns" => 1,
        // the micro sign and the Greek letter
        "us" | "\u{b5}s" | "\u{3bc}s" => 1000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        _ => return None,
    })
}
