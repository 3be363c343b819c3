//! Lists as sets.

use super::{Overload, Takes, global};
use crate::{
    eval::{Raised, Scope},
    value::{Value, equal},
};

pub(super) const TABLE: &[Overload] = &[
    global(
        "sets.contains",
        &[Takes::List, Takes::List],
        Takes::Bool,
        29,
        contains,
    ),
    global(
        "sets.equivalent",
        &[Takes::List, Takes::List],
        Takes::Bool,
        29,
        equivalent,
    ),
    global(
        "sets.intersects",
        &[Takes::List, Takes::List],
        Takes::Bool,
        29,
        intersects,
    ),
];

fn has<'a>(scope: &Scope<'a>, list: &Value<'a>, wanted: &Value<'a>) -> Result<bool, Raised> {
    for element in list.elements().into_iter().flatten() {
        if equal(scope, &element, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether every element of `part` is in `whole`.
fn all_in<'a>(scope: &Scope<'a>, part: &Value<'a>, whole: &Value<'a>) -> Result<bool, Raised> {
    for element in part.elements().into_iter().flatten() {
        if !has(scope, whole, &element)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn contains<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Raised> {
    match args {
        [whole, part] => all_in(scope, part, whole).map(Value::Bool),
        _ => Err(Raised::overload("sets.contains", args)),
    }
}

fn equivalent<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Raised> {
    match args {
        [a, b] => Ok(Value::Bool(all_in(scope, a, b)? && all_in(scope, b, a)?)),
        _ => Err(Raised::overload("sets.equivalent", args)),
    }
}

fn intersects<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Raised> {
    match args {
        [a, b] => {
            for element in a.elements().into_iter().flatten() {
                if has(scope, b, &element)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        _ => Err(Raised::overload("sets.intersects", args)),
    }
}
