//! Optional values.

use super::{Gives, Overload, Takes, global, member};
use crate::{
    eval::{Raised, Scope},
    value::Value,
};

type Answer<'a> = Result<Value<'a>, Raised>;

pub(super) const TABLE: &[Overload] = &[
    global("optional.of", &[Takes::Any], Takes::Optional, 28, of).giving(Gives::OptionalOf),
    global(
        "optional.ofNonZeroValue",
        &[Takes::Any],
        Takes::Optional,
        28,
        of_non_zero,
    )
    .giving(Gives::OptionalOf),
    global("optional.none", &[], Takes::Optional, 28, none),
    member("hasValue", &[Takes::Optional], Takes::Bool, 28, has_value),
    member("value", &[Takes::Optional], Takes::Any, 28, value).giving(Gives::Inner),
    member(
        "or",
        &[Takes::Optional, Takes::Optional],
        Takes::Optional,
        28,
        or,
    )
    .giving(Gives::Same),
    member(
        "orValue",
        &[Takes::Optional, Takes::Any],
        Takes::Any,
        28,
        or_value,
    )
    .giving(Gives::Inner),
];

fn of<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [value] => scope.some(*value),
        _ => Err(Raised::overload("optional.of", args)),
    }
}

fn of_non_zero<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let [value] = args else {
        return Err(Raised::overload("optional.ofNonZeroValue", args));
    };
    let zero = match value {
        Value::Null | Value::Bool(false) | Value::Int(0) | Value::Uint(0) | Value::Str("") => true,
        Value::Double(value) => *value == 0.0,
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Duration(span) => span.is_zero(),
        Value::Optional(inner) => inner.is_none(),
        other => other.length() == Some(0),
    };
    if zero {
        Ok(Value::Optional(None))
    } else {
        scope.some(*value)
    }
}

fn none<'a>(_: &Scope<'a>, _: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Optional(None))
}

fn has_value<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Optional(inner)] => Ok(Value::Bool(inner.is_some())),
        _ => Err(Raised::overload("hasValue", args)),
    }
}

fn value<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Optional(Some(inner))] => Ok(**inner),
        [Value::Optional(None)] => Err(Raised::failed("optional.none() dereference")),
        _ => Err(Raised::overload("value", args)),
    }
}

fn or<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [first @ Value::Optional(Some(_)), _] => Ok(*first),
        [Value::Optional(None), second @ Value::Optional(_)] => Ok(*second),
        _ => Err(Raised::overload("or", args)),
    }
}

fn or_value<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Optional(Some(inner)), _] => Ok(**inner),
        [Value::Optional(None), other] => Ok(*other),
        _ => Err(Raised::overload("orValue", args)),
    }
}
