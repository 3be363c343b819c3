//! Quantities: what is read prints as itself, orders and adds as numbers do, and is what exact arithmetic makes of the text.

use std::str;

use sluice_policies::capacity::Quantity;

use super::holds;
use crate::{
    corpus,
    random::Random,
    target::{Fingerprint, Form, Seen, Target},
};

/// The greatest amount, in nano-units.
const GREATEST: i128 = i64::MAX as i128 * NANO;
const NANO: i128 = 1_000_000_000;
const SUFFIXES: &[&str] = &[
    "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3",
    "E-3", "e+18", "e-9", "K", "ki", "e",
];

/// The target.
pub struct Quantities;

impl Target for Quantities {
    fn name(&self) -> &'static str {
        "quantity"
    }

    fn form(&self) -> Form {
        Form::Line
    }

    fn longest(&self) -> usize {
        120
    }

    fn memory(&self) -> usize {
        1 << 20
    }

    fn seeds(&self) -> Vec<String> {
        let table = corpus::texts("policies/src/capacity/quantity", "txt").concat();
        table
            .lines()
            .filter_map(|line| line.split('|').next())
            .map(str::to_owned)
            .collect()
    }

    fn words(&self) -> Vec<String> {
        let others = [
            "-",
            "+",
            ".",
            "00",
            "9223372036854775807",
            "e-18",
            "e-40",
            "e400",
            "\u{663}",
            "NaN",
            "1_0",
        ];
        super::words(&[SUFFIXES, &others].concat())
    }

    fn generate(&self, random: &mut Random) -> Option<String> {
        let digits = |random: &mut Random, most: usize| -> String {
            (0..random.below(most + 1))
                .map(|_| char::from(b'0' + u8::try_from(random.below(10)).unwrap_or_default()))
                .collect()
        };
        let sign = if random.once_in(4) { "-" } else { "" };
        let whole = digits(random, 22);
        let fraction = if random.once_in(2) {
            format!(".{}", digits(random, 22))
        } else {
            String::new()
        };
        let suffix = random.pick(SUFFIXES).copied().unwrap_or_default();
        Some(format!("{sign}{whole}{fraction}{suffix}"))
    }

    fn check(&mut self, case: &[u8]) -> Result<Seen, String> {
        let mut print = Fingerprint::default();
        let Ok(text) = str::from_utf8(case) else {
            return Ok(print.seen("no text"));
        };
        let reference = Reference::read(text);
        let read = match text.parse::<Quantity>() {
            Ok(read) => read,
            Err(error) => {
                let said = error.to_string();
                holds(said.len() < 400, || {
                    format!("a message of {} bytes", said.len())
                })?;
                holds(reference.is_none(), || {
                    "refused, and it is a quantity".to_owned()
                })?;
                return Ok(print.add(shape(text)).seen("refused"));
            }
        };
        let Some(reference) = reference else {
            return Err(format!("read as {read}, and it is no quantity"));
        };
        holds(read.nanos().abs() <= GREATEST, || {
            format!("{} is above the greatest amount", read.nanos())
        })?;
        if let Some(exact) = reference.nanos() {
            holds(read.nanos() == exact, || {
                format!("read as {} nano-units, exactly it is {exact}", read.nanos())
            })?;
        }
        let printed = read.to_string();
        let again = printed
            .parse::<Quantity>()
            .map_err(|error| format!("prints as {printed}: {error}"))?;
        holds(again == read && again.to_string() == printed, || {
            format!(
                "prints as {printed}, which is {} and prints as {again}",
                again.nanos()
            )
        })?;
        arithmetic(read)?;
        let sign = read.nanos().signum();
        Ok(print
            .add(shape(text))
            .add(sign)
            .add(printed.trim_matches(|c: char| !c.is_alphabetic()))
            .seen("read"))
    }
}

/// What sums, parts and roundings promise, beside amounts at which something ends.
fn arithmetic(read: Quantity) -> Result<(), String> {
    for other in [
        Quantity::ZERO,
        Quantity::units(1),
        Quantity::units(-7),
        Quantity::units(i64::MAX),
    ] {
        holds(read.plus(other).minus(other) == read, || {
            format!(
                "{read} plus {other} minus it is {}",
                read.plus(other).minus(other)
            )
        })?;
        holds(read.plus(other) == other.plus(read), || {
            format!("{read} and {other} add up to two sums")
        })?;
        holds(read.cmp(&other) == read.nanos().cmp(&other.nanos()), || {
            format!("{read} and {other} are in no order")
        })?;
    }
    for (rounded, grain) in [
        (read.rounded_to_milli(), NANO / 1000),
        (read.rounded_to_units(), NANO),
    ] {
        let (before, after) = (read.nanos().abs(), rounded.nanos().abs());
        holds(
            after >= before && after - before < grain && after % grain == 0,
            || format!("{read} rounded to {grain} nano-units is {rounded}"),
        )?;
    }
    if read.nanos() >= 0 {
        holds(read.hundredths(50).times(2) >= read, || {
            format!("half of {read} is {}", read.hundredths(50))
        })?;
        holds(read.times(3) == read.plus(read).plus(read), || {
            format!("three times {read} is {}", read.times(3))
        })?;
    }
    Ok(())
}

/// How a text is built: runs of digits and of letters.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for c in text.chars().take(24) {
        let kind = if c.is_ascii_digit() {
            '0'
        } else if c.is_ascii() {
            c
        } else {
            'x'
        };
        if kind != '0' || !shape.ends_with('0') {
            shape.push(kind);
        }
    }
    shape
}

/// A text by the grammar of Kubernetes, for exact arithmetic.
struct Reference<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    factor: i128,
    exponent: i64,
}

impl<'a> Reference<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let number: &str = &unsigned[..unsigned
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .unwrap_or(unsigned.len())];
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || whole.len() + fraction.len() == 0 {
            return None;
        }
        let suffix = &unsigned[number.len()..];
        let (factor, exponent) = match "KMGTPE".find(
            suffix
                .strip_suffix('i')
                .filter(|prefix| prefix.len() == 1)
                .unwrap_or("-"),
        ) {
            Some(power) => (1 << (10 * (power + 1)), 0),
            None => match suffix {
                "n" => (1, -9),
                "u" => (1, -6),
                "m" => (1, -3),
                "" => (1, 0),
                "k" => (1, 3),
                "M" => (1, 6),
                "G" => (1, 9),
                "T" => (1, 12),
                "P" => (1, 15),
                "E" => (1, 18),
                _ => {
                    let digits = suffix.strip_prefix(['e', 'E'])?;
                    let bare = digits.strip_prefix(['-', '+']).unwrap_or(digits);
                    if bare.is_empty() || bare.contains(|c: char| !c.is_ascii_digit()) {
                        return None;
                    }
                    (1, digits.parse().ok()?)
                }
            },
        };
        Some(Self {
            negative,
            whole,
            fraction,
            factor,
            exponent,
        })
    }

    /// The amount, away from zero where nano-units end; `None` where the numbers here are too wide for this plain arithmetic.
    fn nanos(&self) -> Option<i128> {
        let digits = format!("{}{}", self.whole, self.fraction);
        let number: i128 = digits.parse().ok()?;
        let fraction = i64::try_from(self.fraction.len()).ok()?;
        let power = self.exponent.checked_add(9)?.checked_sub(fraction)?;
        let scale = 10_i128.checked_pow(u32::try_from(power.unsigned_abs()).ok()?)?;
        let product = number.checked_mul(self.factor)?;
        let amount = if power < 0 {
            product / scale + i128::from(product % scale != 0)
        } else {
            product.checked_mul(scale)?
        };
        let amount = amount.min(GREATEST);
        Some(if self.negative { -amount } else { amount })
    }
}
