//! Text to the parser's tree. The only file that asks the `cel` crate for anything but the shape of that tree.

use std::{sync::LazyLock, thread};

use cel::{Env, IdedExpr, common::ast::SourceInfo};

use crate::problem::Problem;

/// No macros: they are expanded by [`crate::lower`], which keeps their place in the text and evaluates them without intermediate lists.
static GRAMMAR: LazyLock<Env> = LazyLock::new(Env::default);

/// The parser is recursive and counts only part of its depth: chains such as `a.b.b.b…` pass its limit. A text of the greatest length that we
/// take nests no deeper than what this stack holds several times over.
const STACK: usize = 256 << 20;

/// Runs `job` where a tree as deep as the longest text can make it may be parsed, walked and dropped.
pub(crate) fn on_deep_stack<T: Send>(
    text: &str,
    job: impl FnOnce() -> T + Send,
) -> Result<T, Problem> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("cel-compile".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, job)
            .map_err(|error| Problem::at(text, 0, format!("cannot be compiled now: {error}")))?;
        worker
            .join()
            .map_err(|_| Problem::at(text, 0, "cannot be compiled: the parser failed on it"))
    })
}

/// The tree of a text. To be called on a deep stack.
pub(crate) fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), Problem> {
    let parser = GRAMMAR.parser().enable_ident_escape_syntax(true);
    parser.parse_with_source_info(text).map_err(|errors| {
        let first = errors.errors.iter().find(|error| error.pos.0 > 0);
        match first.or_else(|| errors.errors.first()) {
            Some(error) => {
                let number = |of: isize| usize::try_from(of).unwrap_or(1);
                told(text, number(error.pos.0), number(error.pos.1), &error.msg)
            }
            None => Problem::at(text, 0, "not an expression"),
        }
    })
}

/// The parser's words, made short: it lists every token that could have come.
fn told(text: &str, line: usize, column: usize, message: &str) -> Problem {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let quoted = |of: &str| of.split('\'').nth(1).map(str::to_owned);
    let short = if ends_before(text, line, column) || message.ends_with("'<EOF>'") {
        "the text ends where something is still to come".to_owned()
    } else if message.starts_with("extraneous input")
        || message.starts_with("mismatched input")
        || message.starts_with("no viable alternative")
        || message.starts_with("token recognition error")
    {
        match quoted(message) {
            Some(token) => format!("unexpected {:?}", shortened(&token)),
            None => shortened(message),
        }
    } else {
        shortened(message)
    };
    let problem = Problem::at_place(text, line, column, short);
    match suggestion(text, line, column) {
        Some(suggestion) => problem.or(suggestion),
        None => problem,
    }
}

/// Whether nothing but space comes from a place on.
fn ends_before(text: &str, line: usize, column: usize) -> bool {
    let mut lines = text.split('\n').skip(line.saturating_sub(1));
    let rest = lines
        .next()
        .unwrap_or("")
        .chars()
        .skip(column.saturating_sub(1));
    rest.chain(lines.flat_map(str::chars))
        .all(char::is_whitespace)
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

/// Slips of people who write other languages.
fn suggestion(text: &str, line: usize, column: usize) -> Option<&'static str> {
    let line = text.split('\n').nth(line.checked_sub(1)?)?;
    let mut rest = line.chars().skip(column.checked_sub(1)?);
    let (first, second) = (rest.next(), rest.next());
    let before = line.chars().nth(column.checked_sub(2)?);
    match (before, first, second) {
        (_, Some('='), _) | (Some('='), _, _) => Some("equality is =="),
        (_, Some('&'), _) | (Some('&'), ..) => Some("and is &&"),
        (_, Some('|'), _) | (Some('|'), ..) => Some("or is ||"),
        (_, Some('a'), Some('n')) => Some("and is &&"),
        (_, Some('o'), Some('r')) => Some("or is ||"),
        _ => None,
    }
}
