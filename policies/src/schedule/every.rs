//! The span of `@every`, written as durations are in Go: `90m`, `1h30m`, `1.5h`.

/// The longest span, in nanoseconds; one that lies in the past may be one longer.
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
    if nanos > LONGEST {
        return None;
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
            .checked_add(part(fraction, unit))?
            .checked_add(nanos)?;
        if nanos > LONGEST + 1 {
            return None;
        }
        rest = after;
    }
    Some(nanos)
}

/// The fraction of a unit, by way of a floating point number as in Go, where many nines make a whole; digits beyond its 63 bits are left out there too.
fn part(fraction: &str, unit: u128) -> u128 {
    let (mut number, mut scale) = (0_u64, 1.0);
    for digit in fraction.bytes() {
        if number > (1 << 63) / 10 {
            break;
        }
        let longer = number * 10 + u64::from(digit - b'0');
        if longer > 1 << 63 {
            break;
        }
        number = longer;
        scale *= 10.0;
    }
    (number as f64 * (unit as f64 / scale)) as u128
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
