//! Lists: Kubernetes' own library.

use std::cmp::Ordering;

use jiff::SignedDuration;

use super::{ALWAYS, Gives, Overload, Takes, member};
use crate::{
    eval::{Raised, Scope},
    value::{Value, compare, equal},
};

type Answer<'a> = Result<Value<'a>, Raised>;

pub(super) const TABLE: &[Overload] = &[
    member("isSorted", &[Takes::List], Takes::Bool, ALWAYS, is_sorted),
    member("sum", &[Takes::List], Takes::Any, ALWAYS, sum).giving(Gives::Element),
    member("min", &[Takes::List], Takes::Any, ALWAYS, min).giving(Gives::Element),
    member("max", &[Takes::List], Takes::Any, ALWAYS, max).giving(Gives::Element),
    member(
        "indexOf",
        &[Takes::List, Takes::Any],
        Takes::Int,
        ALWAYS,
        index_of,
    ),
    member(
        "lastIndexOf",
        &[Takes::List, Takes::Any],
        Takes::Int,
        ALWAYS,
        last_index_of,
    ),
];

/// The order of two elements; a step and what a comparison of texts looks at.
fn order<'a>(scope: &Scope<'a>, a: &Value<'a>, b: &Value<'a>) -> Result<Ordering, Raised> {
    scope.charge(1)?;
    if let (Value::Str(a), Value::Str(b)) = (a, b) {
        scope.charge_bytes(a.len().min(b.len()))?;
    }
    compare(a, b).ok_or_else(|| Raised::overload("<", &[*a, *b]))
}

fn elements<'a>(args: &[Value<'a>]) -> Result<impl Iterator<Item = Value<'a>> + use<'a>, Raised> {
    args.first()
        .and_then(Value::elements)
        .ok_or_else(|| Raised::overload("list", args))
}

fn is_sorted<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let mut before: Option<Value<'a>> = None;
    for element in elements(args)? {
        if let Some(before) = &before
            && order(scope, before, &element)? == Ordering::Greater
        {
            return Ok(Value::Bool(false));
        }
        before = Some(element);
    }
    Ok(Value::Bool(true))
}

fn sum<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let mut total: Option<Value<'a>> = None;
    for element in elements(args)? {
        scope.charge(1)?;
        let next = match (total, element) {
            (None, Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Duration(_)) => {
                Some(element)
            }
            (Some(Value::Int(a)), Value::Int(b)) => a.checked_add(b).map(Value::Int),
            (Some(Value::Uint(a)), Value::Uint(b)) => a.checked_add(b).map(Value::Uint),
            (Some(Value::Double(a)), Value::Double(b)) => Some(Value::Double(a + b)),
            (Some(Value::Duration(a)), Value::Duration(b)) => {
                SignedDuration::checked_add(a, b).map(Value::Duration)
            }
            (_, other) => return Err(Raised::overload("sum", &[other])),
        };
        total = Some(next.ok_or_else(|| Raised::failed("integer overflow"))?);
    }
    // the sum of nothing
    Ok(total.unwrap_or(Value::Int(0)))
}

fn best<'a>(scope: &Scope<'a>, args: &[Value<'a>], wanted: Ordering, name: &str) -> Answer<'a> {
    let mut best: Option<Value<'a>> = None;
    for element in elements(args)? {
        best = match best {
            Some(best) if order(scope, &element, &best)? != wanted => Some(best),
            _ => Some(element),
        };
    }
    best.ok_or_else(|| Raised::Failed(format!("{name} called on empty list")))
}

fn min<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    best(scope, args, Ordering::Less, "min")
}

fn max<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    best(scope, args, Ordering::Greater, "max")
}

fn index_of<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    place(scope, args, false)
}

fn last_index_of<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    place(scope, args, true)
}

fn place<'a>(scope: &Scope<'a>, args: &[Value<'a>], last: bool) -> Answer<'a> {
    let Some(wanted) = args.get(1) else {
        return Err(Raised::overload("indexOf", args));
    };
    let mut found = -1i64;
    for (place, element) in (0i64..).zip(elements(args)?) {
        if equal(scope, &element, wanted)? {
            found = place;
            if !last {
                break;
            }
        }
    }
    Ok(Value::Int(found))
}
