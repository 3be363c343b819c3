//! `resource.Quantity` of Kubernetes: `500m`, `1Gi`, `1e3`, `0.5`.
//!
//! Exact down to the nano-unit, above which it rounds away from zero, and up to 2^63-1 units, above which it saturates, as Kubernetes does.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde_json::Value;

/// Nano-units in a unit.
const NANO: i128 = 1_000_000_000;
/// The greatest amount, in units.
const GREATEST: i128 = i64::MAX as i128;
/// Significant digits that are kept; more of them lie below the nano-unit of the greatest amount.
const DIGITS: usize = 34;

/// An amount of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// How an amount is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `k`, `M`, `m`…
    Decimal,
    /// `Ki`, `Mi`…
    Binary,
    /// `e3`…
    Exponent,
}

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not a quantity: use a number with n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or an exponent, such as 500m, 1Gi, 1e3"
)]
pub struct QuantityError {
    /// The text as written, cut to what fits a message.
    pub found: String,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self {
        nanos: 0,
        format: Format::Decimal,
    };

    /// A whole number of units.
    #[must_use]
    pub fn units(units: i64) -> Self {
        Self {
            nanos: i128::from(units) * NANO,
            format: Format::Decimal,
        }
    }

    /// The amount in a manifest: a text or a number.
    ///
    /// # Errors
    /// When the value is neither, or the text is no quantity.
    pub fn of(value: &Value) -> Result<Self, QuantityError> {
        match value {
            Value::String(text) => text.parse(),
            Value::Number(number) => number.to_string().parse(),
            other => Err(QuantityError {
                found: crate::view::field_text(other),
            }),
        }
    }

    /// The amount in nano-units.
    #[must_use]
    pub const fn nanos(self) -> i128 {
        self.nanos
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Rounded up to thousandths, as the API server stores amounts of containers.
    #[must_use]
    pub fn rounded_to_milli(self) -> Self {
        self.rounded(NANO / 1000)
    }

    /// Rounded up to whole units, as amounts of storage are charged.
    #[must_use]
    pub fn rounded_to_units(self) -> Self {
        self.rounded(NANO)
    }

    /// Rounded away from zero to a multiple of the grain.
    fn rounded(self, grain: i128) -> Self {
        let rest = self.nanos % grain;
        let nanos = match rest.cmp(&0) {
            Ordering::Equal => self.nanos,
            Ordering::Greater => self.nanos.saturating_add(grain - rest),
            Ordering::Less => self.nanos.saturating_sub(grain + rest),
        };
        Self { nanos, ..self }
    }

    /// So many hundredths of it, rounded up to a grain that people write: Mi, Ki or units, or thousandths.
    #[must_use]
    pub fn hundredths(self, count: i64) -> Self {
        const KI: i128 = 1024 * NANO;
        const MI: i128 = 1024 * KI;
        let hundredfold = self.nanos.saturating_mul(i128::from(count));
        let nanos = hundredfold / 100 + i128::from(hundredfold % 100 > 0);
        let grain = match (self.format, nanos) {
            (Format::Binary, MI..) => MI,
            (Format::Binary, KI..) => KI,
            (Format::Binary, _) => NANO,
            _ => NANO / 1000,
        };
        Self { nanos, ..self }.rounded(grain)
    }

    /// The same amount, printed in the suffixes of another.
    #[must_use]
    pub const fn printed_like(self, other: Self) -> Self {
        Self {
            format: other.format,
            ..self
        }
    }

    /// The sum; printed like the first that is not nothing.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            nanos: self.nanos.saturating_add(other.nanos),
            format: if self.is_zero() {
                other.format
            } else {
                self.format
            },
        }
    }

    /// The difference, printed like the sum.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            nanos: self.nanos.saturating_sub(other.nanos),
            format: if self.is_zero() {
                other.format
            } else {
                self.format
            },
        }
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, count: i64) -> Self {
        Self {
            nanos: self.nanos.saturating_mul(i128::from(count)),
            ..self
        }
    }
}

impl PartialEq for Quantity {
    /// Amounts are equal, however they are printed.
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| QuantityError {
            found: text.chars().take(40).collect(),
        })
    }
}

fn parse(text: &str) -> Option<Quantity> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let (format, factor, exponent) = scale(suffix)?;
    let nanos = amount(whole, fraction, factor, exponent);
    Some(Quantity {
        nanos: if negative { -nanos } else { nanos },
        format,
    })
}

/// How a suffix is printed, the binary factor it stands for and the power of ten.
fn scale(suffix: &str) -> Option<(Format, i128, i64)> {
    let decimal = |exponent| Some((Format::Decimal, 1, exponent));
    let binary = |power: u32| Some((Format::Binary, 1i128 << (10 * power), 0));
    match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let digits = suffix.strip_prefix(['e', 'E'])?;
            let bare = digits.strip_prefix(['+', '-']).unwrap_or(digits);
            if bare.is_empty() || !bare.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            Some((Format::Exponent, 1, digits.parse().ok()?))
        }
    }
}

/// The non-negative amount in nano-units, rounded up below one and saturated at the greatest.
fn amount(whole: &str, fraction: &str, factor: i128, exponent: i64) -> i128 {
    let greatest = GREATEST * NANO;
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.drain(..leading);
    // the power of ten of the last digit, in nano-units
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut power = exponent
        .saturating_add(9)
        .saturating_sub(length(fraction.len()));
    while digits.last() == Some(&b'0') {
        digits.pop();
        power = power.saturating_add(1);
    }
    if digits.is_empty() {
        return 0;
    }
    // above the greatest amount even without the binary factor
    if power.saturating_add(length(digits.len())) > 9 + 20 {
        return greatest;
    }
    let mut rounds_up = false;
    if digits.len() > DIGITS {
        power = power.saturating_add(length(digits.len() - DIGITS));
        digits.truncate(DIGITS);
        rounds_up = true;
    }
    let mut number = digits
        .iter()
        .fold(0i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
    let nanos = if power >= 0 {
        10i128
            .checked_pow(u32::try_from(power).unwrap_or(u32::MAX))
            .and_then(|scale| number.checked_mul(scale))
            .and_then(|amount| amount.checked_mul(factor))
    } else {
        // what lies too far below to be scaled is cut off and rounds up
        while power < -37 {
            rounds_up |= number % 10 != 0;
            number /= 10;
            power += 1;
            if number == 0 {
                return 1;
            }
        }
        let mut scale = 10i128.pow(u32::try_from(-power).unwrap_or_default());
        let (above, mut below) = (number / scale, number % scale);
        // keeps the product below the width of the type; what is cut off rounds up
        while scale > 10i128.pow(19) {
            scale /= 10;
            rounds_up |= below % 10 != 0;
            below /= 10;
        }
        let part = below * factor;
        rounds_up |= part % scale != 0;
        above
            .checked_mul(factor)
            .and_then(|amount| amount.checked_add(part / scale))
    };
    nanos
        .and_then(|nanos| nanos.checked_add(i128::from(rounds_up)))
        .map_or(greatest, |nanos| nanos.min(greatest))
}

impl fmt::Display for Quantity {
    /// The canonical form of Kubernetes: no fraction, the greatest suffix that keeps it exact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let whole = self.nanos % NANO == 0;
        let units = self.nanos / NANO;
        if self.format == Format::Binary && whole && units.abs() >= 1024 {
            let (mut number, mut suffix) = (units, 0);
            while number % 1024 == 0 && suffix < 6 {
                number /= 1024;
                suffix += 1;
            }
            return write!(
                f,
                "{number}{}",
                ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][suffix]
            );
        }
        let (mut number, mut step) = (self.nanos, 0);
        while number % 1000 == 0 && step < 9 {
            number /= 1000;
            step += 1;
        }
        if self.format == Format::Exponent {
            return match step * 3 - 9 {
                0 => write!(f, "{number}"),
                exponent => write!(f, "{number}e{exponent}"),
            };
        }
        let suffix = usize::try_from(step).unwrap_or_default();
        write!(
            f,
            "{number}{}",
            ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][suffix]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> i128 {
        text.parse::<Quantity>().unwrap().nanos()
    }

    #[test]
    fn reads_and_prints_canonically() {
        for (text, amount, canonical) in [
            ("0", 0, "0"),
            ("0.0", 0, "0"),
            ("-0Ki", 0, "0"),
            ("1", NANO, "1"),
            ("500m", NANO / 2, "500m"),
            ("0.5", NANO / 2, "500m"),
            (".5", NANO / 2, "500m"),
            ("5.", 5 * NANO, "5"),
            ("1000m", NANO, "1"),
            ("12500m", 12_500_000_000, "12500m"),
            ("1000", 1000 * NANO, "1k"),
            ("1k", 1000 * NANO, "1k"),
            ("1Ki", 1024 * NANO, "1Ki"),
            ("1024Ki", 1024 * 1024 * NANO, "1Mi"),
            ("1.5Gi", 1536 * 1024 * 1024 * NANO, "1536Mi"),
            ("0.5Ki", 512 * NANO, "512"),
            ("1025Ki", 1025 * 1024 * NANO, "1025Ki"),
            ("1e3", 1000 * NANO, "1e3"),
            ("1E3", 1000 * NANO, "1e3"),
            ("1e-3", NANO / 1000, "1e-3"),
            (
                "12E",
                12_000_000_000_000_000_000 * NANO / 12 * 12,
                "9223372036854775807",
            ),
            ("1n", 1, "1n"),
            ("1u", 1000, "1u"),
            ("0.1n", 1, "1n"),
            ("1.00000000001", NANO + 1, "1000000001n"),
            ("-100m", -NANO / 10, "-100m"),
            ("+1", NANO, "1"),
            ("00012", 12 * NANO, "12"),
            ("8Ei", GREATEST * NANO, "9223372036854775807"),
        ] {
            let read: Quantity = text.parse().unwrap();
            assert_eq!(read.nanos(), amount.min(GREATEST * NANO), "{text}");
            assert_eq!(read.to_string(), canonical, "{text}");
            assert_eq!(
                read.to_string().parse::<Quantity>().unwrap(),
                read,
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_quantity() {
        for text in [
            "",
            ".",
            "+",
            "-",
            "m",
            "1mm",
            "1ki",
            "1K",
            "1 Gi",
            "1e",
            "1e+",
            "1e1.5",
            "1.2.3",
            "--1",
            "0x10",
            "1Gib",
            "١",
            "NaN",
            "inf",
            "1e99999999999999999999",
            "1,5",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text} was read");
        }
        assert!(Quantity::of(&serde_json::json!({"a": 1})).is_err());
        assert_eq!(
            Quantity::of(&serde_json::json!(0.5)).unwrap().to_string(),
            "500m"
        );
    }

    #[test]
    fn hostile_numbers_saturate() {
        let long = "9".repeat(1 << 20);
        for text in [
            long.as_str(),
            "1e4000000000",
            "1e9223372036854775807",
            "99999999999999999999Ei",
        ] {
            assert_eq!(nanos(text), GREATEST * NANO);
        }
        for text in [
            "1e-4000000000",
            "1e-9223372036854775808",
            &format!("0.{}1", "0".repeat(1 << 20)),
        ] {
            assert_eq!(nanos(text), 1);
        }
        assert_eq!(nanos(&format!("1.{}", "0".repeat(1 << 20))), NANO);
        assert_eq!(nanos(&format!("1{}e-100", "0".repeat(100))), NANO);
        // 10^-15 of 2^60, with more digits than anybody needs
        let tiny = format!("0.{}1{}Ei", "0".repeat(14), "2".repeat(33));
        assert_eq!(nanos(&tiny) / 1_000_000, 1_409_126);
        let most: Quantity = "9e18".parse().unwrap();
        let sum = most.times(i64::MAX).times(i64::MAX).plus(most);
        assert_eq!(sum.nanos(), i128::MAX);
        assert!(sum.to_string().parse::<Quantity>().is_ok());
    }

    #[test]
    fn every_way_of_writing_an_amount_is_the_same_amount() {
        // a small generator instead of a dependency: every number, split at every point, with every suffix
        for number in [
            1u64,
            7,
            10,
            1023,
            1024,
            1025,
            99_999,
            1_048_576,
            123_456_789,
        ] {
            let digits = number.to_string();
            for at in 0..=digits.len() {
                let (whole, fraction) = digits.split_at(at);
                for (suffix, factor) in [("Ki", 1i128 << 10), ("Gi", 1 << 30), ("", 1), ("k", 1000)]
                {
                    let scale = 10i128.pow(u32::try_from(fraction.len()).unwrap());
                    let exact = i128::from(number) * factor * NANO;
                    let expected = exact / scale + i128::from(exact % scale != 0);
                    let text = format!("{whole}.{fraction}{suffix}");
                    assert_eq!(nanos(&text), expected, "{text}");
                }
            }
        }
    }

    #[test]
    fn parts_are_rounded_up_to_what_people_write() {
        for (text, count, part) in [
            ("2Gi", 50, "1Gi"),
            ("1Gi", 75, "768Mi"),
            ("1000Mi", 33, "330Mi"),
            ("1001Mi", 50, "501Mi"),
            ("3Ki", 50, "2Ki"),
            ("1", 50, "500m"),
            ("1", 1, "10m"),
            ("7m", 50, "4m"),
            ("0", 50, "0"),
            ("1G", 50, "500M"),
        ] {
            let quantity: Quantity = text.parse().unwrap();
            let of = quantity.hundredths(count);
            assert!(of.nanos() * 100 >= quantity.nanos() * i128::from(count));
            assert_eq!(of.to_string(), part, "{text}");
        }
    }

    #[test]
    fn rounds_up_to_thousandths() {
        for (text, rounded) in [
            ("1n", "1m"),
            ("1500u", "2m"),
            ("1", "1"),
            ("0", "0"),
            ("-1n", "-1m"),
        ] {
            let quantity: Quantity = text.parse().unwrap();
            assert_eq!(quantity.rounded_to_milli().to_string(), rounded);
        }
    }
}
