//! Arithmetic, comparison, membership and joining.

use std::cmp::Ordering;

use jiff::SignedDuration;

use super::{Raised, Scope};
use crate::{
    node::Op,
    value::{Value, compare, equal},
};

pub(super) fn negate<'a>(value: &Value<'a>) -> Result<Value<'a>, Raised> {
    match value {
        Value::Int(value) => value
            .checked_neg()
            .map(Value::Int)
            .ok_or_else(|| Raised::failed("integer overflow")),
        Value::Double(value) => Ok(Value::Double(-value)),
        other => Err(Raised::overload("-", &[*other])),
    }
}

pub(super) fn binary<'a>(
    scope: &Scope<'a>,
    op: Op,
    a: &Value<'a>,
    b: &Value<'a>,
) -> Result<Value<'a>, Raised> {
    match op {
        Op::Equal => equal(scope, a, b).map(Value::Bool),
        Op::Unequal => equal(scope, a, b).map(|equal| Value::Bool(!equal)),
        Op::In => within(scope, a, b).map(Value::Bool),
        Op::Less | Op::AtMost | Op::Greater | Op::AtLeast => {
            if let (Value::Str(x), Value::Str(y)) = (a, b) {
                scope.charge_bytes(x.len().min(y.len()))?;
            }
            let Some(order) = compare(a, b) else {
                let nan = |value: &Value<'_>| matches!(value, Value::Double(of) if of.is_nan());
                return if nan(a) || nan(b) {
                    Ok(Value::Bool(false))
                } else {
                    Err(Raised::overload(op.sign(), &[*a, *b]))
                };
            };
            Ok(Value::Bool(match op {
                Op::Less => order == Ordering::Less,
                Op::AtMost => order != Ordering::Greater,
                Op::Greater => order == Ordering::Greater,
                _ => order != Ordering::Less,
            }))
        }
        Op::Add => add(scope, a, b),
        Op::Subtract => subtract(a, b),
        Op::Multiply | Op::Divide | Op::Modulo => arithmetic(op, a, b),
    }
}

fn within<'a>(scope: &Scope<'a>, a: &Value<'a>, b: &Value<'a>) -> Result<bool, Raised> {
    if let Some(elements) = b.elements() {
        for element in elements {
            if equal(scope, a, &element)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    if b.entries().is_some() {
        return Ok(b.lookup(a).is_some());
    }
    Err(Raised::overload("in", &[*a, *b]))
}

fn add<'a>(scope: &Scope<'a>, a: &Value<'a>, b: &Value<'a>) -> Result<Value<'a>, Raised> {
    if let (Some(x), Some(y)) = (a.elements(), b.elements()) {
        let length = a.length().unwrap_or(0) + b.length().unwrap_or(0);
        scope.room(length)?;
        scope.charge(length as u64)?;
        let joined: Vec<Value<'a>> = x.chain(y).collect();
        return scope.list(&joined);
    }
    match (a, b) {
        (Value::Str(x), Value::Str(y)) => {
            let mut writer = scope.writer();
            writer.push(x)?;
            writer.push(y)?;
            writer.finish()
        }
        (Value::Bytes(x), Value::Bytes(y)) => {
            scope.room(x.len() + y.len())?;
            scope.bytes(&[*x, *y].concat())
        }
        (Value::Double(x), Value::Double(y)) => Ok(Value::Double(x + y)),
        (Value::Int(x), Value::Int(y)) => overflow(x.checked_add(*y).map(Value::Int)),
        (Value::Uint(x), Value::Uint(y)) => overflow(x.checked_add(*y).map(Value::Uint)),
        (Value::Duration(x), Value::Duration(y)) => span(x.checked_add(*y)),
        (Value::Timestamp(x), Value::Duration(y)) | (Value::Duration(y), Value::Timestamp(x)) => {
            moment(x.checked_add(*y).ok())
        }
        _ => Err(Raised::overload("+", &[*a, *b])),
    }
}

fn subtract<'a>(a: &Value<'a>, b: &Value<'a>) -> Result<Value<'a>, Raised> {
    match (a, b) {
        (Value::Double(x), Value::Double(y)) => Ok(Value::Double(x - y)),
        (Value::Int(x), Value::Int(y)) => overflow(x.checked_sub(*y).map(Value::Int)),
        (Value::Uint(x), Value::Uint(y)) => overflow(x.checked_sub(*y).map(Value::Uint)),
        (Value::Duration(x), Value::Duration(y)) => span(x.checked_sub(*y)),
        (Value::Timestamp(x), Value::Timestamp(y)) => span(Some(x.duration_since(*y))),
        (Value::Timestamp(x), Value::Duration(y)) => moment(x.checked_sub(*y).ok()),
        _ => Err(Raised::overload("-", &[*a, *b])),
    }
}

fn arithmetic<'a>(op: Op, a: &Value<'a>, b: &Value<'a>) -> Result<Value<'a>, Raised> {
    match (op, a, b) {
        (Op::Divide | Op::Modulo, Value::Int(_), Value::Int(0))
        | (Op::Divide | Op::Modulo, Value::Uint(_), Value::Uint(0)) => {
            Err(Raised::failed(if op == Op::Divide {
                "division by zero"
            } else {
                "modulus by zero"
            }))
        }
        (Op::Multiply, Value::Double(x), Value::Double(y)) => Ok(Value::Double(x * y)),
        (Op::Divide, Value::Double(x), Value::Double(y)) => Ok(Value::Double(x / y)),
        (Op::Multiply, Value::Int(x), Value::Int(y)) => overflow(x.checked_mul(*y).map(Value::Int)),
        (Op::Divide, Value::Int(x), Value::Int(y)) => overflow(x.checked_div(*y).map(Value::Int)),
        (Op::Modulo, Value::Int(x), Value::Int(y)) => overflow(x.checked_rem(*y).map(Value::Int)),
        (Op::Multiply, Value::Uint(x), Value::Uint(y)) => {
            overflow(x.checked_mul(*y).map(Value::Uint))
        }
        (Op::Divide, Value::Uint(x), Value::Uint(y)) => {
            overflow(x.checked_div(*y).map(Value::Uint))
        }
        (Op::Modulo, Value::Uint(x), Value::Uint(y)) => {
            overflow(x.checked_rem(*y).map(Value::Uint))
        }
        _ => Err(Raised::overload(op.sign(), &[*a, *b])),
    }
}

fn overflow(value: Option<Value<'_>>) -> Result<Value<'_>, Raised> {
    value.ok_or_else(|| Raised::failed("integer overflow"))
}

/// Spans are those of Go: whole nanoseconds in 64 bits, some 292 years.
fn span<'a>(span: Option<SignedDuration>) -> Result<Value<'a>, Raised> {
    span.filter(|span| i64::try_from(span.as_nanos()).is_ok())
        .map(Value::Duration)
        .ok_or_else(|| Raised::failed("duration out of range"))
}

/// Moments are of the years 1 to 9999.
fn moment<'a>(moment: Option<jiff::Timestamp>) -> Result<Value<'a>, Raised> {
    moment
        .filter(|moment| crate::library::in_range(*moment))
        .map(Value::Timestamp)
        .ok_or_else(|| Raised::failed("timestamp out of range"))
}
