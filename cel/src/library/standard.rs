//! The standard functions: sizes, conversions, texts.

use super::{ALWAYS, Gives, Overload, Takes, global, member, time};
use crate::{
    eval::{Raised, Scope},
    value::{Value, double_text, duration_text, write_value},
};

type Answer<'a> = Result<Value<'a>, Raised>;

pub(super) const TABLE: &[Overload] = &[
    global("size", &[Takes::String], Takes::Int, ALWAYS, size),
    global("size", &[Takes::Bytes], Takes::Int, ALWAYS, size),
    global("size", &[Takes::List], Takes::Int, ALWAYS, size),
    global("size", &[Takes::Map], Takes::Int, ALWAYS, size),
    member("size", &[Takes::String], Takes::Int, ALWAYS, size),
    member("size", &[Takes::Bytes], Takes::Int, ALWAYS, size),
    member("size", &[Takes::List], Takes::Int, ALWAYS, size),
    member("size", &[Takes::Map], Takes::Int, ALWAYS, size),
    member(
        "contains",
        &[Takes::String, Takes::String],
        Takes::Bool,
        ALWAYS,
        contains,
    ),
    member(
        "startsWith",
        &[Takes::String, Takes::String],
        Takes::Bool,
        ALWAYS,
        starts_with,
    ),
    member(
        "endsWith",
        &[Takes::String, Takes::String],
        Takes::Bool,
        ALWAYS,
        ends_with,
    ),
    global("int", &[Takes::Int], Takes::Int, ALWAYS, same),
    global("int", &[Takes::Uint], Takes::Int, ALWAYS, int),
    global("int", &[Takes::Double], Takes::Int, ALWAYS, int),
    global("int", &[Takes::String], Takes::Int, ALWAYS, int),
    global("int", &[Takes::Timestamp], Takes::Int, ALWAYS, int),
    global("uint", &[Takes::Uint], Takes::Uint, ALWAYS, same),
    global("uint", &[Takes::Int], Takes::Uint, ALWAYS, uint),
    global("uint", &[Takes::Double], Takes::Uint, ALWAYS, uint),
    global("uint", &[Takes::String], Takes::Uint, ALWAYS, uint),
    global("double", &[Takes::Double], Takes::Double, ALWAYS, same),
    global("double", &[Takes::Int], Takes::Double, ALWAYS, double),
    global("double", &[Takes::Uint], Takes::Double, ALWAYS, double),
    global("double", &[Takes::String], Takes::Double, ALWAYS, double),
    global("bool", &[Takes::Bool], Takes::Bool, ALWAYS, same),
    global("bool", &[Takes::String], Takes::Bool, ALWAYS, boolean),
    global("string", &[Takes::String], Takes::String, ALWAYS, same),
    global("string", &[Takes::Bool], Takes::String, ALWAYS, string),
    global("string", &[Takes::Int], Takes::String, ALWAYS, string),
    global("string", &[Takes::Uint], Takes::String, ALWAYS, string),
    global("string", &[Takes::Double], Takes::String, ALWAYS, string),
    global("string", &[Takes::Bytes], Takes::String, ALWAYS, string),
    global("string", &[Takes::Timestamp], Takes::String, ALWAYS, string),
    global("string", &[Takes::Duration], Takes::String, ALWAYS, string),
    global("string", &[Takes::Ip], Takes::String, 30, string),
    global("string", &[Takes::Cidr], Takes::String, 30, string),
    global("bytes", &[Takes::Bytes], Takes::Bytes, ALWAYS, same),
    global("bytes", &[Takes::String], Takes::Bytes, ALWAYS, bytes),
    global("dyn", &[Takes::Any], Takes::Any, ALWAYS, same),
    global("type", &[Takes::Any], Takes::Type, ALWAYS, type_of),
    global(
        "timestamp",
        &[Takes::Timestamp],
        Takes::Timestamp,
        ALWAYS,
        same,
    ),
    global(
        "timestamp",
        &[Takes::String],
        Takes::Timestamp,
        ALWAYS,
        timestamp,
    ),
    global(
        "timestamp",
        &[Takes::Int],
        Takes::Timestamp,
        ALWAYS,
        timestamp,
    ),
    global(
        "duration",
        &[Takes::Duration],
        Takes::Duration,
        ALWAYS,
        same,
    )
    .giving(Gives::Same),
    global(
        "duration",
        &[Takes::String],
        Takes::Duration,
        ALWAYS,
        duration,
    ),
];

fn same<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    args.first()
        .copied()
        .ok_or_else(|| Raised::failed("no argument"))
}

fn size<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let size = match args {
        [Value::Str(text)] => {
            scope.charge_bytes(text.len())?;
            text.chars().count()
        }
        [Value::Bytes(bytes)] => bytes.len(),
        [value] => {
            scope.charge_bytes(value.held())?;
            value
                .length()
                .ok_or_else(|| Raised::overload("size", args))?
        }
        _ => return Err(Raised::overload("size", args)),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

/// The two texts of a function on texts.
pub(super) fn texts<'a>(
    scope: &Scope<'a>,
    name: &str,
    args: &[Value<'a>],
) -> Result<(&'a str, &'a str), Raised> {
    match args {
        [Value::Str(text), Value::Str(other), ..] => {
            scope.charge_bytes(text.len())?;
            Ok((text, other))
        }
        _ => Err(Raised::overload(name, args)),
    }
}

fn contains<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    texts(scope, "contains", args).map(|(text, part)| Value::Bool(text.contains(part)))
}

fn starts_with<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    texts(scope, "startsWith", args).map(|(text, part)| Value::Bool(text.starts_with(part)))
}

fn ends_with<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    texts(scope, "endsWith", args).map(|(text, part)| Value::Bool(text.ends_with(part)))
}

fn out_of_range() -> Raised {
    Raised::failed("range error")
}

fn int<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Uint(value)] => i64::try_from(*value)
            .map(Value::Int)
            .map_err(|_| out_of_range()),
        #[expect(clippy::cast_possible_truncation, reason = "bounded")]
        [Value::Double(value)]
            if *value > -9.223_372_036_854_775e18 && *value < 9.223_372_036_854_775e18 =>
        {
            Ok(Value::Int(*value as i64))
        }
        [Value::Double(_)] => Err(out_of_range()),
        [Value::Str(text)] => text
            .parse()
            .map(Value::Int)
            .map_err(|_| Raised::failed("type conversion error from string to int")),
        [Value::Timestamp(moment)] => Ok(Value::Int(time::unix_seconds(*moment))),
        _ => Err(Raised::overload("int", args)),
    }
}

fn uint<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Int(value)] => u64::try_from(*value)
            .map(Value::Uint)
            .map_err(|_| out_of_range()),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded"
        )]
        [Value::Double(value)] if (0.0..1.844_674_407_370_955e19).contains(value) => {
            Ok(Value::Uint(*value as u64))
        }
        [Value::Double(_)] => Err(out_of_range()),
        [Value::Str(text)] => text
            .parse()
            .map(Value::Uint)
            .map_err(|_| Raised::failed("type conversion error from string to uint")),
        _ => Err(Raised::overload("uint", args)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "what the conversion is")]
fn double<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Int(value)] => Ok(Value::Double(*value as f64)),
        [Value::Uint(value)] => Ok(Value::Double(*value as f64)),
        [Value::Str(text)] => text
            .parse()
            .map(Value::Double)
            .map_err(|_| Raised::failed("type conversion error from string to double")),
        _ => Err(Raised::overload("double", args)),
    }
}

fn boolean<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Str("1" | "t" | "T" | "true" | "TRUE" | "True")] => Ok(Value::Bool(true)),
        [Value::Str("0" | "f" | "F" | "false" | "FALSE" | "False")] => Ok(Value::Bool(false)),
        _ => Err(Raised::failed("type conversion error from string to bool")),
    }
}

fn string<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Bytes(bytes)] => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::Str(text)),
            Err(_) => Err(Raised::failed("invalid UTF-8 in bytes")),
        },
        [Value::Double(value)] => scope.text(&double_text(*value)),
        [Value::Duration(span)] => scope.text(&duration_text(*span)),
        [value] => {
            let mut writer = scope.writer();
            write_value(&mut writer, value)?;
            writer.finish()
        }
        _ => Err(Raised::overload("string", args)),
    }
}

fn bytes<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Str(text)] => Ok(Value::Bytes(text.as_bytes())),
        _ => Err(Raised::overload("bytes", args)),
    }
}

fn type_of<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [value] => Ok(Value::Type(value.type_name())),
        _ => Err(Raised::overload("type", args)),
    }
}

fn timestamp<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Str(text)] => time::timestamp(text).map(Value::Timestamp),
        [Value::Int(seconds)] => time::of_unix_seconds(*seconds).map(Value::Timestamp),
        _ => Err(Raised::overload("timestamp", args)),
    }
}

fn duration<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Str(text)] => time::duration(text).map(Value::Duration),
        _ => Err(Raised::overload("duration", args)),
    }
}
