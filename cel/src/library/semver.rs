//! Semantic versions.

use std::{cmp::Ordering, fmt};

use super::{Overload, Takes, global, member};
use crate::{
    eval::{Raised, Scope},
    value::Value,
};

type Answer<'a> = Result<Value<'a>, Raised>;

/// A semantic version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Semver<'a> {
    numbers: [u64; 3],
    pre: &'a str,
    build: &'a str,
}

pub(super) const TABLE: &[Overload] = &[
    global("semver", &[Takes::String], Takes::Semver, 33, semver),
    global(
        "semver",
        &[Takes::String, Takes::Bool],
        Takes::Semver,
        33,
        semver,
    ),
    global("isSemver", &[Takes::String], Takes::Bool, 33, is_semver),
    global(
        "isSemver",
        &[Takes::String, Takes::Bool],
        Takes::Bool,
        33,
        is_semver,
    ),
    member("major", &[Takes::Semver], Takes::Int, 33, |_, args| {
        number(args, 0)
    }),
    member("minor", &[Takes::Semver], Takes::Int, 33, |_, args| {
        number(args, 1)
    }),
    member("patch", &[Takes::Semver], Takes::Int, 33, |_, args| {
        number(args, 2)
    }),
    member(
        "isLessThan",
        &[Takes::Semver, Takes::Semver],
        Takes::Bool,
        33,
        |_, args| order(args).map(|order| Value::Bool(order == Ordering::Less)),
    ),
    member(
        "isGreaterThan",
        &[Takes::Semver, Takes::Semver],
        Takes::Bool,
        33,
        |_, args| order(args).map(|order| Value::Bool(order == Ordering::Greater)),
    ),
    member(
        "compareTo",
        &[Takes::Semver, Takes::Semver],
        Takes::Int,
        33,
        |_, args| order(args).map(|order| Value::Int(order as i64)),
    ),
];

impl<'a> Semver<'a> {
    /// Reads a version by the letter.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Raised> {
        Self::read(text).ok_or_else(|| told(text))
    }

    fn read(text: &'a str) -> Option<Self> {
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (numbers, pre) = match text.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre)),
            None => (text, None),
        };
        let mut parts = numbers.split('.');
        let mut next = || {
            let part = parts.next()?;
            let right = part.bytes().all(|b| b.is_ascii_digit())
                && (part.len() == 1 || !part.starts_with('0'));
            right.then(|| part.parse::<u64>().ok()).flatten()
        };
        let numbers = [next()?, next()?, next()?];
        let identifier = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if parts.next().is_some()
            || pre.is_some_and(|pre| {
                pre.split('.').any(|part| {
                    !identifier(part) || (number(part) && part.len() > 1 && part.starts_with('0'))
                })
            })
            || build.is_some_and(|build| !build.split('.').all(identifier))
        {
            return None;
        }
        Some(Self {
            numbers,
            pre: pre.unwrap_or(""),
            build: build.unwrap_or(""),
        })
    }

    /// The order of versions; what they were built from does not count.
    pub(crate) fn precedence(&self, other: &Semver<'_>) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => {
                    let (mut a, mut b) = (self.pre.split('.'), other.pre.split('.'));
                    loop {
                        let order = match (a.next(), b.next()) {
                            (None, None) => return Ordering::Equal,
                            (None, Some(_)) => return Ordering::Less,
                            (Some(_), None) => return Ordering::Greater,
                            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                                (Ok(a), Ok(b)) => a.cmp(&b),
                                (Ok(_), Err(_)) => Ordering::Less,
                                (Err(_), Ok(_)) => Ordering::Greater,
                                (Err(_), Err(_)) => a.cmp(b),
                            },
                        };
                        if order != Ordering::Equal {
                            return order;
                        }
                    }
                }
            }
        })
    }
}

impl fmt::Display for Semver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.build.is_empty() {
            write!(f, "+{}", self.build)?;
        }
        Ok(())
    }
}

fn told(text: &str) -> Raised {
    let text: String = text.chars().take(60).collect();
    Raised::Failed(format!("{text:?} is no semantic version, such as 1.2.3"))
}

/// Without `v`, without leading zeros, with the numbers that were left out.
fn normalized(text: &str) -> Option<String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text
        .splitn(3, '.')
        .map(|part| {
            if part.len() < 2 {
                return part.to_owned();
            }
            let bare = part.trim_start_matches('0');
            if bare.starts_with(|c: char| c.is_ascii_digit()) {
                bare.to_owned()
            } else {
                format!("0{bare}")
            }
        })
        .collect();
    if parts.len() < 3 && parts.last().is_some_and(|last| last.contains(['+', '-'])) {
        return None;
    }
    while parts.len() < 3 {
        parts.push("0".to_owned());
    }
    Some(parts.join("."))
}

fn read<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Result<Semver<'a>, Raised> {
    match args {
        [Value::Str(text)] | [Value::Str(text), Value::Bool(false)] => {
            scope.charge_bytes(text.len())?;
            Semver::parse(text)
        }
        [Value::Str(text), Value::Bool(true)] => {
            scope.charge_bytes(text.len())?;
            let normal = normalized(text).ok_or_else(|| told(text))?;
            Semver::parse(scope.str(&normal)?)
        }
        _ => Err(Raised::overload("semver", args)),
    }
}

fn semver<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    scope.one(read(scope, args)?).map(Value::Semver)
}

fn is_semver<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match read(scope, args) {
        Ok(_) => Ok(Value::Bool(true)),
        Err(Raised::Failed(_)) => Ok(Value::Bool(false)),
        Err(other) => Err(other),
    }
}

fn number<'a>(args: &[Value<'a>], place: usize) -> Answer<'a> {
    match args {
        [Value::Semver(version)] => Ok(Value::Int(
            i64::try_from(version.numbers[place]).unwrap_or(i64::MAX),
        )),
        _ => Err(Raised::failed("no such overload")),
    }
}

fn order(args: &[Value<'_>]) -> Result<Ordering, Raised> {
    match args {
        [Value::Semver(a), Value::Semver(b)] => Ok(a.precedence(b)),
        _ => Err(Raised::failed("no such overload")),
    }
}
