//! Texts: cel-go's string extension in the version that Kubernetes has. Places count characters.

use super::{ALWAYS, Overload, Takes, format, global, member, standard::texts};
use crate::{
    eval::{Raised, Scope},
    value::Value,
};

type Answer<'a> = Result<Value<'a>, Raised>;

pub(super) const TABLE: &[Overload] = &[
    member(
        "charAt",
        &[Takes::String, Takes::Int],
        Takes::String,
        ALWAYS,
        char_at,
    ),
    member(
        "indexOf",
        &[Takes::String, Takes::String],
        Takes::Int,
        ALWAYS,
        index_of,
    ),
    member(
        "indexOf",
        &[Takes::String, Takes::String, Takes::Int],
        Takes::Int,
        ALWAYS,
        index_of,
    ),
    member(
        "lastIndexOf",
        &[Takes::String, Takes::String],
        Takes::Int,
        ALWAYS,
        last_index_of,
    ),
    member(
        "lastIndexOf",
        &[Takes::String, Takes::String, Takes::Int],
        Takes::Int,
        ALWAYS,
        last_index_of,
    ),
    member("join", &[Takes::Strings], Takes::String, ALWAYS, join),
    member(
        "join",
        &[Takes::Strings, Takes::String],
        Takes::String,
        ALWAYS,
        join,
    ),
    member("lowerAscii", &[Takes::String], Takes::String, ALWAYS, lower),
    member("upperAscii", &[Takes::String], Takes::String, ALWAYS, upper),
    member(
        "replace",
        &[Takes::String, Takes::String, Takes::String],
        Takes::String,
        ALWAYS,
        replace,
    ),
    member(
        "replace",
        &[Takes::String, Takes::String, Takes::String, Takes::Int],
        Takes::String,
        ALWAYS,
        replace,
    ),
    member(
        "split",
        &[Takes::String, Takes::String],
        Takes::Strings,
        ALWAYS,
        split,
    ),
    member(
        "split",
        &[Takes::String, Takes::String, Takes::Int],
        Takes::Strings,
        ALWAYS,
        split,
    ),
    member(
        "substring",
        &[Takes::String, Takes::Int],
        Takes::String,
        ALWAYS,
        substring,
    ),
    member(
        "substring",
        &[Takes::String, Takes::Int, Takes::Int],
        Takes::String,
        ALWAYS,
        substring,
    ),
    member("trim", &[Takes::String], Takes::String, ALWAYS, trim),
    member(
        "format",
        &[Takes::String, Takes::List],
        Takes::String,
        29,
        format::format,
    ),
    global("strings.quote", &[Takes::String], Takes::String, 29, quote),
    global(
        "jsonpatch.escapeKey",
        &[Takes::String],
        Takes::String,
        32,
        escape_key,
    ),
];

fn out_of_range(place: i64) -> Raised {
    Raised::Failed(format!("index out of range: {place}"))
}

/// Where the character at a place begins, in bytes; a place one past the end is the end.
fn byte_of(text: &str, place: i64) -> Result<usize, Raised> {
    let count = usize::try_from(place).map_err(|_| out_of_range(place))?;
    text.char_indices()
        .map(|(byte, _)| byte)
        .chain([text.len()])
        .nth(count)
        .ok_or_else(|| out_of_range(place))
}

fn place_of(text: &str, byte: Option<usize>) -> Value<'static> {
    Value::Int(byte.map_or(-1, |byte| {
        i64::try_from(text[..byte].chars().count()).unwrap_or(i64::MAX)
    }))
}

fn char_at<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let [Value::Str(text), Value::Int(place)] = args else {
        return Err(Raised::overload("charAt", args));
    };
    scope.charge_bytes(text.len())?;
    let byte = byte_of(text, *place)?;
    let length = text[byte..].chars().next().map_or(0, char::len_utf8);
    Ok(Value::Str(&text[byte..byte + length]))
}

fn index_of<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let (text, part) = texts(scope, "indexOf", args)?;
    let from = match args.get(2) {
        Some(Value::Int(from)) => byte_of(text, *from)?,
        _ => 0,
    };
    Ok(place_of(
        text,
        text[from..].find(part).map(|byte| byte + from),
    ))
}

fn last_index_of<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let (text, part) = texts(scope, "lastIndexOf", args)?;
    let until = match args.get(2) {
        // the last place where the part may begin
        Some(Value::Int(from)) => (byte_of(text, *from)? + part.len()).min(text.len()),
        _ => text.len(),
    };
    let until = (until..=text.len())
        .find(|byte| text.is_char_boundary(*byte))
        .unwrap_or(text.len());
    Ok(place_of(text, text[..until].rfind(part)))
}

fn join<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let (list, between) = match args {
        [list] => (list, ""),
        [list, Value::Str(between)] => (list, *between),
        _ => return Err(Raised::overload("join", args)),
    };
    let mut writer = scope.writer();
    for (place, element) in list.elements().into_iter().flatten().enumerate() {
        if place > 0 {
            writer.push(between)?;
        }
        match element {
            Value::Str(text) => writer.push(text)?,
            other => return Err(Raised::overload("join", &[other])),
        }
    }
    writer.finish()
}

fn one<'a>(name: &str, args: &[Value<'a>]) -> Result<&'a str, Raised> {
    match args {
        [Value::Str(text)] => Ok(text),
        _ => Err(Raised::overload(name, args)),
    }
}

/// A text made of a text that is known to fit.
fn made<'a>(scope: &Scope<'a>, text: &str, make: impl FnOnce(&str) -> String) -> Answer<'a> {
    scope.charge_bytes(text.len())?;
    scope.room(text.len() / 16)?;
    scope.text(&make(text))
}

fn lower<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    made(scope, one("lowerAscii", args)?, str::to_ascii_lowercase)
}

fn upper<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    made(scope, one("upperAscii", args)?, str::to_ascii_uppercase)
}

fn trim<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let text = one("trim", args)?;
    scope.charge_bytes(text.len())?;
    Ok(Value::Str(text.trim()))
}

fn replace<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let (text, old) = texts(scope, "replace", args)?;
    let Some(Value::Str(new)) = args.get(2) else {
        return Err(Raised::overload("replace", args));
    };
    let limit = match args.get(3) {
        Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let mut writer = scope.writer();
    let mut done = 0;
    for (byte, found) in text.match_indices(old).take(limit) {
        writer.push(&text[done..byte])?;
        writer.push(new)?;
        done = byte + found.len();
    }
    writer.push(&text[done..])?;
    writer.finish()
}

fn split<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let (text, by) = texts(scope, "split", args)?;
    let limit = match args.get(2) {
        Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    if limit == 0 {
        return scope.list(&[]);
    }
    let mut parts = Vec::new();
    let mut add = |part: &'a str| {
        scope.charge(1)?;
        scope.room(parts.len())?;
        parts.push(Value::Str(part));
        Ok::<(), Raised>(())
    };
    if by.is_empty() {
        // between characters, as Go splits
        let mut rest = text;
        let mut count = 0;
        while let Some(first) = rest.chars().next() {
            count += 1;
            if count == limit {
                break;
            }
            let (head, tail) = rest.split_at(first.len_utf8());
            add(head)?;
            rest = tail;
        }
        if !rest.is_empty() {
            add(rest)?;
        }
    } else {
        for part in text.splitn(limit, by) {
            add(part)?;
        }
    }
    scope.list(&parts)
}

fn substring<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let (text, from, to) = match args {
        [Value::Str(text), Value::Int(from)] => (*text, *from, None),
        [Value::Str(text), Value::Int(from), Value::Int(to)] => (*text, *from, Some(*to)),
        _ => return Err(Raised::overload("substring", args)),
    };
    scope.charge_bytes(text.len())?;
    let start = byte_of(text, from)?;
    let end = to.map_or(Ok(text.len()), |to| byte_of(text, to))?;
    text.get(start..end).map(Value::Str).ok_or_else(|| {
        Raised::Failed(format!(
            "invalid substring range: start {from}, end {}",
            to.unwrap_or(0)
        ))
    })
}

fn quote<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let text = one("strings.quote", args)?;
    scope.charge_bytes(text.len())?;
    scope.room(text.len() / 8)?;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    scope.text(&quoted)
}

fn escape_key<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    made(scope, one("jsonpatch.escapeKey", args)?, |text| {
        text.replace('~', "~0").replace('/', "~1")
    })
}
