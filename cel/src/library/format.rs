//! `"…".format([…])`: `%s %d %f %e %x %X %o %b %%` with a precision for `%f` and `%e`.

use crate::{
    eval::{Raised, Scope, Writer},
    value::{Value, write_value},
};

/// Digits after the point that may be asked for, as in cel-go.
const MOST_DIGITS: usize = 1000;

pub(super) fn format<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Raised> {
    let [Value::Str(text), list] = args else {
        return Err(Raised::overload("format", args));
    };
    let mut values = list
        .elements()
        .ok_or_else(|| Raised::overload("format", args))?
        .enumerate();
    let mut out = scope.writer();
    let mut rest = *text;
    while let Some((plain, clause)) = rest.split_once('%') {
        out.push(plain)?;
        if let Some(after) = clause.strip_prefix('%') {
            out.push("%")?;
            rest = after;
            continue;
        }
        let (precision, clause) = match clause.strip_prefix('.') {
            Some(clause) => {
                let digits = clause.bytes().take_while(u8::is_ascii_digit).count();
                let number = clause[..digits]
                    .parse::<usize>()
                    .ok()
                    .filter(|digits| *digits <= MOST_DIGITS)
                    .ok_or_else(|| Raised::Failed(format!("a precision above {MOST_DIGITS}")))?;
                (Some(number), &clause[digits..])
            }
            None => (None, clause),
        };
        let mut letters = clause.chars();
        let Some(letter) = letters.next() else {
            return Err(Raised::failed("unexpected end of format string"));
        };
        rest = letters.as_str();
        let Some((_, value)) = values.next() else {
            return Err(Raised::failed(
                "fewer values than the format string asks for",
            ));
        };
        clause_of(&mut out, letter, precision, &value)?;
    }
    out.push(rest)?;
    out.finish()
}

fn clause_of<'a>(
    out: &mut Writer<'_, 'a>,
    letter: char,
    precision: Option<usize>,
    value: &Value<'a>,
) -> Result<(), Raised> {
    match (letter, value) {
        ('s', value) => write_value(out, value),
        ('d', Value::Int(value)) => out.push(&value.to_string()),
        ('d', Value::Uint(value)) => out.push(&value.to_string()),
        ('d', Value::Double(value)) if !value.is_finite() => {
            write_value(out, &Value::Double(*value))
        }
        ('f' | 'e', value) => float(out, letter, precision.unwrap_or(6), value),
        ('b', Value::Int(value)) => out.push(&signed(*value, |size| format!("{size:b}"))),
        ('b', Value::Uint(value)) => out.push(&format!("{value:b}")),
        ('b', Value::Bool(value)) => out.push(if *value { "1" } else { "0" }),
        ('o', Value::Int(value)) => out.push(&signed(*value, |size| format!("{size:o}"))),
        ('o', Value::Uint(value)) => out.push(&format!("{value:o}")),
        ('x', Value::Int(value)) => out.push(&signed(*value, |size| format!("{size:x}"))),
        ('x', Value::Uint(value)) => out.push(&format!("{value:x}")),
        ('X', Value::Int(value)) => out.push(&signed(*value, |size| format!("{size:X}"))),
        ('X', Value::Uint(value)) => out.push(&format!("{value:X}")),
        ('x' | 'X', Value::Str(text)) => hex(out, letter, text.as_bytes()),
        ('x' | 'X', Value::Bytes(bytes)) => hex(out, letter, bytes),
        ('d' | 'b' | 'o' | 'x' | 'X', other) => Err(Raised::Failed(format!(
            "%{letter} of {}",
            other.type_name()
        ))),
        (other, _) => Err(Raised::Failed(format!(
            "unrecognized formatting clause %{other}"
        ))),
    }
}

fn signed(value: i64, digits: impl Fn(u64) -> String) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", digits(value.unsigned_abs()))
}

fn hex(out: &mut Writer<'_, '_>, letter: char, bytes: &[u8]) -> Result<(), Raised> {
    for byte in bytes {
        out.push(&if letter == 'x' {
            format!("{byte:02x}")
        } else {
            format!("{byte:02X}")
        })?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "what the clause asks for")]
fn float(
    out: &mut Writer<'_, '_>,
    letter: char,
    precision: usize,
    value: &Value<'_>,
) -> Result<(), Raised> {
    let number = match value {
        Value::Double(value) => *value,
        Value::Int(value) => *value as f64,
        Value::Uint(value) => *value as f64,
        Value::Str("NaN") => f64::NAN,
        Value::Str("Infinity") => f64::INFINITY,
        Value::Str("-Infinity") => f64::NEG_INFINITY,
        other => {
            return Err(Raised::Failed(format!(
                "%{letter} of {}",
                other.type_name()
            )));
        }
    };
    if number.is_nan() {
        return out.push("NaN");
    }
    if number.is_infinite() {
        return out.push(if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        });
    }
    if letter == 'f' {
        return out.push(&format!("{number:.precision$}"));
    }
    let text = format!("{number:.precision$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, size) = exponent
                .strip_prefix('-')
                .map_or(('+', exponent), |size| ('-', size));
            out.push(&format!("{digits}e{sign}{size:0>2}"))
        }
        None => out.push(&text),
    }
}
