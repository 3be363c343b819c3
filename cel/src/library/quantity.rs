//! Quantities of Kubernetes: exact, in billionths, as far as the API server keeps them.

use std::{cmp::Ordering, fmt};

use super::{Overload, Takes, global, member};
use crate::{
    eval::{Raised, Scope},
    value::Value,
};

type Answer<'a> = Result<Value<'a>, Raised>;

const BILLION: i128 = 1_000_000_000;
/// The greatest whole number that the API server keeps; more is cut to it.
const GREATEST: i128 = i64::MAX as i128 * BILLION;

/// How a quantity was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suffix {
    /// `Ki`, `Mi`, …
    Binary,
    /// `m`, `k`, `M`, …
    Decimal,
    /// `e3`.
    Exponent,
}

/// A quantity.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    billionths: i128,
    suffix: Suffix,
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.billionths == other.billionths
    }
}

const TWO: &[Takes] = &[Takes::Quantity, Takes::Quantity];
const WITH_INT: &[Takes] = &[Takes::Quantity, Takes::Int];

pub(super) const TABLE: &[Overload] = &[
    global("quantity", &[Takes::String], Takes::Quantity, 28, quantity),
    global("isQuantity", &[Takes::String], Takes::Bool, 28, is_quantity),
    member("sign", &[Takes::Quantity], Takes::Int, 28, |_, args| {
        one(args, |of| Ok(Value::Int(of.billionths.signum() as i64)))
    }),
    member(
        "isInteger",
        &[Takes::Quantity],
        Takes::Bool,
        28,
        |_, args| one(args, |of| Ok(Value::Bool(of.integer().is_some()))),
    ),
    member(
        "asInteger",
        &[Takes::Quantity],
        Takes::Int,
        28,
        |_, args| {
            one(args, |of| {
                of.integer()
                    .map(Value::Int)
                    .ok_or_else(|| Raised::failed("cannot convert value to integer"))
            })
        },
    ),
    member(
        "asApproximateFloat",
        &[Takes::Quantity],
        Takes::Double,
        28,
        |_, args| one(args, |of| Ok(Value::Double(of.float()))),
    ),
    member("isLessThan", TWO, Takes::Bool, 28, |_, args| {
        two(args, |order| Value::Bool(order == Ordering::Less))
    }),
    member("isGreaterThan", TWO, Takes::Bool, 28, |_, args| {
        two(args, |order| Value::Bool(order == Ordering::Greater))
    }),
    member("compareTo", TWO, Takes::Int, 28, |_, args| {
        two(args, |order| Value::Int(order as i64))
    }),
    member("add", TWO, Takes::Quantity, 28, |scope, args| {
        sum(scope, args, 1)
    }),
    member("add", WITH_INT, Takes::Quantity, 28, |scope, args| {
        sum(scope, args, 1)
    }),
    member("sub", TWO, Takes::Quantity, 28, |scope, args| {
        sum(scope, args, -1)
    }),
    member("sub", WITH_INT, Takes::Quantity, 28, |scope, args| {
        sum(scope, args, -1)
    }),
];

impl Quantity {
    /// Reads a quantity.
    pub(crate) fn parse(text: &str) -> Result<Self, Raised> {
        Self::read(text).ok_or_else(|| {
            let text: String = text.chars().take(60).collect();
            Raised::Failed(format!("{text:?} is no quantity, such as 500m or 2Gi"))
        })
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > 128 || !text.is_ascii() {
            return None;
        }
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, rest) = rest.split_at(digits(rest));
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(digits(rest)),
            None => ("", rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (kind, two, ten) = match suffix {
            "" => (Suffix::Decimal, 0u32, 0i32),
            "n" => (Suffix::Decimal, 0, -9),
            "u" => (Suffix::Decimal, 0, -6),
            "m" => (Suffix::Decimal, 0, -3),
            "k" => (Suffix::Decimal, 0, 3),
            "M" => (Suffix::Decimal, 0, 6),
            "G" => (Suffix::Decimal, 0, 9),
            "T" => (Suffix::Decimal, 0, 12),
            "P" => (Suffix::Decimal, 0, 15),
            "E" => (Suffix::Decimal, 0, 18),
            "Ki" => (Suffix::Binary, 10, 0),
            "Mi" => (Suffix::Binary, 20, 0),
            "Gi" => (Suffix::Binary, 30, 0),
            "Ti" => (Suffix::Binary, 40, 0),
            "Pi" => (Suffix::Binary, 50, 0),
            "Ei" => (Suffix::Binary, 60, 0),
            other => {
                let exponent = other.strip_prefix(['e', 'E'])?;
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                // what lies beyond is nothing, or too much, either way
                (
                    Suffix::Exponent,
                    0,
                    exponent.parse::<i32>().ok()?.clamp(-200, 200),
                )
            }
        };
        let size = scaled(whole, fraction, two, ten)
            .unwrap_or(GREATEST)
            .min(GREATEST);
        Some(Self {
            billionths: if negative { -size } else { size },
            suffix: kind,
        })
    }

    fn integer(&self) -> Option<i64> {
        (self.billionths % BILLION == 0)
            .then(|| i64::try_from(self.billionths / BILLION).ok())
            .flatten()
    }

    #[expect(clippy::cast_precision_loss, reason = "approximate by name")]
    fn float(&self) -> f64 {
        let (whole, part) = (self.billionths / BILLION, self.billionths % BILLION);
        whole as f64 + part as f64 / BILLION as f64
    }
}

/// Billionths, rounded up as the API server rounds; `None` when that is more than it keeps.
fn scaled(whole: &str, fraction: &str, two: u32, ten: i32) -> Option<i128> {
    let all: String = [whole, fraction].concat();
    let digits = all.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    // the value is digits × 10^power × 2^two billionths
    let power = ten + 9 - i32::try_from(fraction.len()).ok()?;
    let binary = 1i128.checked_shl(two)?;
    if power >= 0 {
        let ten = 10i128.checked_pow(u32::try_from(power).ok()?)?;
        return digits
            .parse::<i128>()
            .ok()?
            .checked_mul(binary)?
            .checked_mul(ten);
    }
    // so many digits are below what is kept; they only round
    let below = usize::try_from(-power).ok()?;
    let cut = digits.len().saturating_sub(36);
    let (head, lost) = digits.split_at(digits.len() - cut.min(below));
    let rounded = lost.bytes().any(|digit| digit != b'0');
    let number = head.parse::<i128>().ok()?.checked_mul(binary)?;
    let divisor = match u32::try_from(below - lost.len()) {
        Ok(power) if power <= 38 => 10i128.checked_pow(power)?,
        // less than a billionth
        _ => return Some(1),
    };
    let up = i128::from(number % divisor != 0 || rounded);
    Some(number / divisor + up)
}

impl fmt::Display for Quantity {
    /// The canonical form: no fraction, the greatest suffix that keeps it whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.billionths < 0 { "-" } else { "" };
        let size = self.billionths.unsigned_abs();
        let billion = BILLION.unsigned_abs();
        if size == 0 {
            return f.write_str("0");
        }
        // below 1024 a binary quantity is written like a decimal one
        if self.suffix == Suffix::Binary && size.is_multiple_of(billion) && size / billion >= 1024 {
            let mut number = size / billion;
            let mut place = 0;
            let names = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
            while number.is_multiple_of(1024) && place + 1 < names.len() {
                number /= 1024;
                place += 1;
            }
            return write!(f, "{sign}{number}{}", names[place]);
        }
        let mut number = size;
        let mut power = -9i32;
        while number.is_multiple_of(1000) && power < 18 {
            number /= 1000;
            power += 3;
        }
        if self.suffix == Suffix::Exponent {
            return if power == 0 {
                write!(f, "{sign}{number}")
            } else {
                write!(f, "{sign}{number}e{power}")
            };
        }
        let name = match power {
            -9 => "n",
            -6 => "u",
            -3 => "m",
            0 => "",
            3 => "k",
            6 => "M",
            9 => "G",
            12 => "T",
            15 => "P",
            _ => "E",
        };
        write!(f, "{sign}{number}{name}")
    }
}

fn quantity<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Str(text)] => scope.one(Quantity::parse(text)?).map(Value::Quantity),
        _ => Err(Raised::overload("quantity", args)),
    }
}

fn is_quantity<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Str(text)] => Ok(Value::Bool(Quantity::read(text).is_some())),
        _ => Err(Raised::overload("isQuantity", args)),
    }
}

fn one<'a>(args: &[Value<'a>], of: impl Fn(&Quantity) -> Answer<'a>) -> Answer<'a> {
    match args {
        [Value::Quantity(quantity)] => of(quantity),
        _ => Err(Raised::failed("no such overload")),
    }
}

fn two<'a>(args: &[Value<'a>], of: impl Fn(Ordering) -> Value<'a>) -> Answer<'a> {
    match args {
        [Value::Quantity(a), Value::Quantity(b)] => Ok(of(a.billionths.cmp(&b.billionths))),
        _ => Err(Raised::failed("no such overload")),
    }
}

fn sum<'a>(scope: &Scope<'a>, args: &[Value<'a>], sign: i128) -> Answer<'a> {
    let (quantity, other) = match args {
        [Value::Quantity(a), Value::Quantity(b)] => (a, b.billionths),
        [Value::Quantity(a), Value::Int(b)] => (a, i128::from(*b) * BILLION),
        _ => return Err(Raised::failed("no such overload")),
    };
    let sum = Quantity {
        billionths: quantity
            .billionths
            .saturating_add(sign * other)
            .clamp(-GREATEST, GREATEST),
        suffix: quantity.suffix,
    };
    scope.one(sum).map(Value::Quantity)
}

/// A quantity as the API server stores it; `None` when the text is none.
#[must_use]
pub fn canonical_quantity(text: &str) -> Option<String> {
    Quantity::read(text).map(|quantity| quantity.to_string())
}
