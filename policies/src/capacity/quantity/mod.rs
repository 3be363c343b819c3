//! `resource.Quantity` of Kubernetes: `500m`, `1Gi`, `1e3`, `0.5`.
//!
//! Exact down to the nano-unit, above which it rounds away from zero, and up to 2^63-1 units, above which it saturates, as Kubernetes does.

#[cfg(test)]
mod tests;

use std::{cmp::Ordering, fmt, str::FromStr};

use sluice_tree::Value;

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
