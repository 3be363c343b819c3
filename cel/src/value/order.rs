//! Equality and order of values.

use std::cmp::Ordering;

use super::Value;
use crate::eval::{Raised, Scope};

/// Whether two values are equal. Numbers compare across their types; values of different types are otherwise unequal.
pub(crate) fn equal<'a>(scope: &Scope<'a>, a: &Value<'a>, b: &Value<'a>) -> Result<bool, Raised> {
    // a value may hold one list many times over, so every step of a comparison costs
    scope.charge(1 + (a.held().min(b.held()) as u64) / 32)?;
    if let (Some(x), Some(y)) = (a.elements(), b.elements()) {
        if a.length() != b.length() {
            return Ok(false);
        }
        for (x, y) in x.zip(y) {
            if !equal(scope, &x, &y)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let Some(entries) = a.entries() {
        if b.entries().is_none() || a.length() != b.length() {
            return Ok(false);
        }
        for (key, value) in entries {
            match b.lookup(&key) {
                Some(other) if equal(scope, &value, &other)? => {}
                _ => return Ok(false),
            }
        }
        return Ok(true);
    }
    Ok(match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => {
            scope.charge_bytes(a.len().min(b.len()))?;
            a == b
        }
        (Value::Bytes(a), Value::Bytes(b)) => {
            scope.charge_bytes(a.len().min(b.len()))?;
            a == b
        }
        (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Type(a), Value::Type(b)) => a == b,
        (Value::Optional(None), Value::Optional(None)) => true,
        (Value::Optional(Some(a)), Value::Optional(Some(b))) => equal(scope, a, b)?,
        (Value::Quantity(a), Value::Quantity(b)) => a == b,
        (Value::Ip(a), Value::Ip(b)) => a == b,
        (Value::Cidr(a), Value::Cidr(b)) => a == b,
        (Value::Url(a), Value::Url(b)) => a == b,
        (Value::Semver(a), Value::Semver(b)) => a.precedence(b) == Ordering::Equal,
        (Value::Format(a), Value::Format(b)) => a == b,
        (Value::Image(a), Value::Image(b)) => a == b,
        _ => numbers(a, b) == Some(Ordering::Equal),
    })
}

/// The order of two values of one kind that has one; `None` where there is none, NaN included.
pub(crate) fn compare(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        _ => numbers(a, b),
    }
}

/// A total order of the values that may be keys.
pub(crate) fn compare_keys(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    fn rank(value: &Value<'_>) -> u8 {
        match value {
            Value::Bool(_) => 0,
            Value::Int(_) | Value::Uint(_) | Value::Double(_) => 1,
            Value::Str(_) => 2,
            _ => 3,
        }
    }
    rank(a)
        .cmp(&rank(b))
        .then_with(|| compare(a, b).unwrap_or(Ordering::Less))
}

fn numbers(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(a), b) => whole_against_double(whole(b)?, *a).map(Ordering::reverse),
        (a, Value::Double(b)) => whole_against_double(whole(a)?, *b),
        (a, b) => Some(whole(a)?.cmp(&whole(b)?)),
    }
}

fn whole(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(value) => Some(i128::from(*value)),
        Value::Uint(value) => Some(i128::from(*value)),
        _ => None,
    }
}

/// Exact: a whole number is not rounded to a double first.
fn whole_against_double(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    if double >= 1e30 {
        return Some(Ordering::Less);
    }
    if double <= -1e30 {
        return Some(Ordering::Greater);
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    let floor = double.floor() as i128;
    Some(whole.cmp(&floor).then(if double > double.floor() {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
}
