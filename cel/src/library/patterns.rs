//! Regular expressions: linear time, bounded size. A pattern that is written out is compiled with the program; others are compiled when they are
//! first asked for and kept for the thread, each for a price.

use std::{cell::RefCell, collections::HashMap};

use regex::{Regex, RegexBuilder};

use super::{ALWAYS, Overload, Takes, global, member};
use crate::{
    eval::{Raised, Scope},
    node::Ask,
    value::Value,
};

/// The longest pattern, in bytes.
const LONGEST: usize = 2048;
/// The largest compiled pattern, in bytes.
const LARGEST: usize = 1 << 20;
/// Steps that compiling a pattern costs while a rule runs, and a pattern that is at hand.
const COMPILED: u64 = 20_000;
/// Patterns that a thread keeps.
const KEPT: usize = 64;

thread_local! {
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
}

pub(super) const TABLE: &[Overload] = &[
    global(
        "matches",
        &[Takes::String, Takes::String],
        Takes::Bool,
        ALWAYS,
        matches,
    ),
    member(
        "matches",
        &[Takes::String, Takes::String],
        Takes::Bool,
        ALWAYS,
        matches,
    ),
    member(
        "find",
        &[Takes::String, Takes::String],
        Takes::String,
        ALWAYS,
        find,
    ),
    member(
        "findAll",
        &[Takes::String, Takes::String],
        Takes::Strings,
        ALWAYS,
        find_all,
    ),
    member(
        "findAll",
        &[Takes::String, Takes::String, Takes::Int],
        Takes::Strings,
        ALWAYS,
        find_all,
    ),
];

/// A pattern, compiled within bounds.
pub(crate) fn pattern(text: &str) -> Result<Regex, String> {
    if text.len() > LONGEST {
        return Err(format!(
            "a pattern of {} bytes; at most {LONGEST}",
            text.len()
        ));
    }
    RegexBuilder::new(text)
        .size_limit(LARGEST)
        .dfa_size_limit(LARGEST)
        .nest_limit(64)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => format!(
                "a pattern that takes more than the {LARGEST} bytes it may when compiled; repeat less"
            ),
            // the parser's message spans lines: its last one says what is wrong
            other => {
                let text = other.to_string();
                let last = text.lines().last().unwrap_or("").trim();
                let last = last.strip_prefix("error: ").unwrap_or(last);
                format!("not a pattern: {last}")
            }
        })
}

/// Asks a compiled pattern.
pub(crate) fn ask<'a>(
    scope: &Scope<'a>,
    regex: &Regex,
    text: &'a str,
    ask: &Ask,
    limit: Option<Value<'a>>,
) -> Result<Value<'a>, Raised> {
    // the engine looks at a byte a few times at most
    scope.charge(1 + text.len() as u64 / 4)?;
    match ask {
        Ask::Matches => Ok(Value::Bool(regex.is_match(text))),
        Ask::Find => Ok(Value::Str(
            regex.find(text).map_or("", |found| found.as_str()),
        )),
        Ask::FindAll(_) => {
            let most = match limit {
                Some(Value::Int(limit)) => usize::try_from(limit).unwrap_or(usize::MAX),
                _ => usize::MAX,
            };
            let mut found = Vec::new();
            for hit in regex.find_iter(text).take(most) {
                // each search may look at all of the rest
                scope.charge(1 + (text.len() - hit.start()) as u64 / 64)?;
                scope.room(found.len())?;
                found.push(Value::Str(hit.as_str()));
            }
            scope.list(&found)
        }
    }
}

fn with<'a>(scope: &Scope<'a>, args: &[Value<'a>], asked: &Ask) -> Result<Value<'a>, Raised> {
    let [Value::Str(text), Value::Str(wanted), rest @ ..] = args else {
        return Err(Raised::overload("matches", args));
    };
    let known = PATTERNS.with_borrow(|patterns| patterns.get(*wanted).cloned());
    let regex = match known {
        Some(regex) => {
            scope.charge_bytes(wanted.len())?;
            regex
        }
        None => {
            scope.charge(COMPILED)?;
            let regex = pattern(wanted).map_err(Raised::Failed)?;
            PATTERNS.with_borrow_mut(|patterns| {
                if patterns.len() >= KEPT {
                    patterns.clear();
                }
                patterns.insert((*wanted).to_owned(), regex.clone());
            });
            regex
        }
    };
    ask(scope, &regex, text, asked, rest.first().copied())
}

fn matches<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Raised> {
    with(scope, args, &Ask::Matches)
}

fn find<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Raised> {
    with(scope, args, &Ask::Find)
}

fn find_all<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Raised> {
    with(scope, args, &Ask::FindAll(None))
}
