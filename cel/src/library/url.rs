//! URLs: what Go's `url.ParseRequestURI` takes, with a scheme or an absolute path.

use super::{ALWAYS, Overload, Takes, global, member};
use crate::{
    eval::{Raised, Scope},
    value::Value,
};

type Answer<'a> = Result<Value<'a>, Raised>;

/// A URL, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    pub(crate) text: &'a str,
    scheme: &'a str,
    /// With its port.
    host: &'a str,
    path: &'a str,
    query: &'a str,
}

pub(super) const TABLE: &[Overload] = &[
    global("url", &[Takes::String], Takes::Url, ALWAYS, url),
    global("isURL", &[Takes::String], Takes::Bool, ALWAYS, is_url),
    member(
        "getScheme",
        &[Takes::Url],
        Takes::String,
        ALWAYS,
        |scope, args| part(scope, args, |url| url.scheme),
    ),
    member(
        "getHost",
        &[Takes::Url],
        Takes::String,
        ALWAYS,
        |scope, args| part(scope, args, |url| url.host),
    ),
    member(
        "getHostname",
        &[Takes::Url],
        Takes::String,
        ALWAYS,
        |scope, args| part(scope, args, Url::hostname),
    ),
    member(
        "getPort",
        &[Takes::Url],
        Takes::String,
        ALWAYS,
        |scope, args| part(scope, args, Url::port),
    ),
    member(
        "getEscapedPath",
        &[Takes::Url],
        Takes::String,
        ALWAYS,
        |scope, args| part(scope, args, |url| url.path),
    ),
    member("getQuery", &[Takes::Url], Takes::Map, ALWAYS, query),
];

impl<'a> Url<'a> {
    /// Takes a text apart.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if text.is_empty() || text.chars().any(|c| c.is_ascii_control() || c == ' ') {
            return None;
        }
        let (scheme, rest) = match text.find(':') {
            Some(at) if is_scheme(&text[..at]) => (&text[..at], &text[at + 1..]),
            // a path may hold colons
            _ if text.starts_with('/') => ("", text),
            _ => return None,
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // the part after a scheme is rooted; `mailto:a` is no request URI
        if !rest.starts_with('/') {
            return None;
        }
        let (host, path) = match rest.strip_prefix("//") {
            Some(after) if !scheme.is_empty() || !rest.starts_with("///") => {
                let end = after.find('/').unwrap_or(after.len());
                (&after[..end], &after[end..])
            }
            _ => ("", rest),
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let url = Self {
            text,
            scheme,
            host,
            path,
            query,
        };
        (url.host_is_right() && escapes_are_right(path)).then_some(url)
    }

    fn host_is_right(&self) -> bool {
        let port = if let Some(rest) = self.host.strip_prefix('[') {
            match rest.split_once(']') {
                Some((address, port)) => {
                    if address.parse::<std::net::Ipv6Addr>().is_err() {
                        return false;
                    }
                    port
                }
                None => return false,
            }
        } else {
            if self.host.chars().any(|c| {
                matches!(
                    c,
                    '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '|' | '}' | '[' | ']'
                )
            }) {
                return false;
            }
            self.host.rfind(':').map_or("", |at| &self.host[at..])
        };
        port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
    }

    fn hostname(&self) -> &'a str {
        match self.host.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or("", |(address, _)| address),
            None => self
                .host
                .rsplit_once(':')
                .map_or(self.host, |(name, _)| name),
        }
    }

    fn port(&self) -> &'a str {
        let after = self
            .host
            .rsplit_once(']')
            .map_or(self.host, |(_, after)| after);
        after.rsplit_once(':').map_or("", |(_, port)| port)
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn escapes_are_right(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        rest.as_bytes()
            .get(..2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn url<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let [Value::Str(text)] = args else {
        return Err(Raised::overload("url", args));
    };
    scope.charge_bytes(text.len())?;
    let url = Url::parse(text).ok_or_else(|| {
        let text: String = text.chars().take(60).collect();
        Raised::Failed(format!("URL parse error: {text:?}"))
    })?;
    scope.one(url).map(Value::Url)
}

fn is_url<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let [Value::Str(text)] = args else {
        return Err(Raised::overload("isURL", args));
    };
    scope.charge_bytes(text.len())?;
    Ok(Value::Bool(Url::parse(text).is_some()))
}

fn part<'a>(_: &Scope<'a>, args: &[Value<'a>], of: impl Fn(&Url<'a>) -> &'a str) -> Answer<'a> {
    match args {
        [Value::Url(url)] => Ok(Value::Str(of(url))),
        _ => Err(Raised::failed("no such overload")),
    }
}

/// The query as a map of lists, percent-decoded.
fn query<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let [Value::Url(url)] = args else {
        return Err(Raised::overload("getQuery", args));
    };
    scope.charge_bytes(url.query.len())?;
    let mut found: Vec<(&'a str, Vec<Value<'a>>)> = Vec::new();
    let query = url.query.split('#').next().unwrap_or("");
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        scope.charge(1 + found.len() as u64 / 8)?;
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(key), Some(value)) = (decoded(key), decoded(value)) else {
            continue;
        };
        let (key, value) = (scope.str(&key)?, scope.text(&value)?);
        match found.iter_mut().find(|(own, _)| *own == key) {
            Some((_, values)) => values.push(value),
            None => found.push((key, vec![value])),
        }
    }
    found.sort_by_key(|(key, _)| *key);
    let mut entries = Vec::with_capacity(found.len());
    for (key, values) in found {
        entries.push((Value::Str(key), scope.list(&values)?));
    }
    scope.slice(&entries).map(Value::Map)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            other => bytes.push(other),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
