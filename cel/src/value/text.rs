//! Values as text, the way `string(x)` and `%s` print them.

use jiff::SignedDuration;

use super::Value;
use crate::eval::{Raised, Writer};

/// Prints a value as `%s` does.
pub(crate) fn write_value<'a>(out: &mut Writer<'_, 'a>, value: &Value<'a>) -> Result<(), Raised> {
    if let Some(elements) = value.elements() {
        out.push("[")?;
        for (place, element) in elements.enumerate() {
            if place > 0 {
                out.push(", ")?;
            }
            write_value(out, &element)?;
        }
        return out.push("]");
    }
    if let Some(entries) = value.entries() {
        out.push("{")?;
        for (place, (key, value)) in entries.enumerate() {
            if place > 0 {
                out.push(", ")?;
            }
            write_value(out, &key)?;
            out.push(": ")?;
            write_value(out, &value)?;
        }
        return out.push("}");
    }
    match value {
        Value::Null => out.push("null"),
        Value::Bool(value) => out.push(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push(&value.to_string()),
        Value::Uint(value) => out.push(&value.to_string()),
        Value::Double(value) => out.push(&double_text(*value)),
        Value::Str(text) | Value::Type(text) => out.push(text),
        Value::Bytes(bytes) => out.push(&String::from_utf8_lossy(bytes)),
        Value::Timestamp(moment) => out.push(&moment.to_string()),
        Value::Duration(span) => out.push(&duration_text(*span)),
        Value::Optional(None) => out.push("optional.none()"),
        Value::Optional(Some(value)) => {
            out.push("optional(")?;
            write_value(out, value)?;
            out.push(")")
        }
        Value::Quantity(quantity) => out.push(&quantity.to_string()),
        Value::Ip(address) => out.push(&address.to_string()),
        Value::Cidr(network) => out.push(&network.to_string()),
        Value::Url(url) => out.push(url.text),
        Value::Semver(version) => out.push(&version.to_string()),
        Value::Format(format) => out.push(format.name()),
        Value::Image(image) => out.push(image.text),
        Value::List(_) | Value::JsonList(_) | Value::Map(_) | Value::JsonMap(_) => Ok(()),
    }
}

/// A double as Go prints it with `%v` of `strconv`: the shortest form, an exponent below 1e-4 and from 1e21.
pub(crate) fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        let text = format!("{value:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) => {
                let (sign, number) = exponent
                    .strip_prefix('-')
                    .map_or(('+', exponent), |number| ('-', number));
                format!("{digits}e{sign}{number:0>2}")
            }
            None => text,
        };
    }
    format!("{value}")
}

/// A span as `string(duration)` gives it: seconds with `s`.
pub(crate) fn duration_text(span: SignedDuration) -> String {
    let nanos = span.as_nanos();
    let (whole, part) = (
        nanos / 1_000_000_000,
        (nanos % 1_000_000_000).unsigned_abs(),
    );
    let sign = if nanos < 0 { "-" } else { "" };
    let whole = whole.unsigned_abs();
    if part == 0 {
        return format!("{sign}{whole}s");
    }
    let part = format!("{part:09}");
    format!("{sign}{whole}.{}s", part.trim_end_matches('0'))
}
