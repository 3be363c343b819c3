//! What keeps an exception from working, whatever the time is.

use jiff::{SignedDuration, Timestamp};
use sluice_api::PolicyExceptionSpec;

use super::{Broken, ExceptionBounds, ExceptionProblem};
use crate::{
    rule::Rule,
    rules::{MALFORMED, rule_by_code, rule_by_name, rules},
    suggestion::nearest,
    view::Kind,
};

/// The rule of an exception.
pub(super) fn read(spec: &PolicyExceptionSpec) -> Result<Broken, Vec<ExceptionProblem>> {
    let mut problems = Vec::new();
    let broken = match own(&spec.rule) {
        Some(named) => named
            .map(|name| {
                problems.extend(own_kind(&spec.subject.kind));
                Broken::Own(name.to_owned())
            })
            .map_err(|problem| problems.push(problem)),
        None => rule(&spec.rule)
            .map(|rule| {
                problems.extend(kind(rule, &spec.subject.kind));
                Broken::BuiltIn(rule.name())
            })
            .map_err(|problem| problems.push(problem)),
    };
    for (path, text, passes) in [
        (
            "spec.subject.name",
            Some(&spec.subject.name),
            "a name, or one with `*` for any text and `?` for one character",
        ),
        (
            "spec.subject.container",
            spec.subject.container.as_ref(),
            "the name of a container, or one with `*` for any text and `?` for one character",
        ),
    ] {
        let sign = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.*?".contains(c);
        if let Some(text) = text
            && (text.is_empty() || !text.chars().all(sign))
        {
            problems.push(problem(path, quoted(text), passes));
        }
    }
    if let Some(path) = &spec.subject.path
        && !is_path(path)
    {
        problems.push(problem(
            "spec.subject.path",
            quoted(path),
            "a path as findings print it, such as spec.template.spec.containers[*].resources",
        ));
    }
    for (path, text) in [("spec.reason", &spec.reason), ("spec.owner", &spec.owner)] {
        // the definition says so too; an older one may be installed
        if text.trim().is_empty() {
            problems.push(problem(path, "nothing", "a text that says something"));
        } else if text.chars().any(char::is_control) && path == "spec.owner" {
            problems.push(problem(path, quoted(text), "one line of text"));
        }
    }
    match broken {
        Ok(broken) if problems.is_empty() => Ok(broken),
        _ => Err(problems),
    }
}

/// An own rule as `policy/rule`; `None` for what is meant as the name of a built-in one. Whether there is such a policy is not asked: it may be made later,
/// and an exception that nothing needs is told as unused.
fn own(name: &str) -> Option<Result<&str, ExceptionProblem>> {
    let (policy, rule) = name.split_once('/')?;
    let words = |text: &str, signs: &str| {
        !text.is_empty()
            && text.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || signs.as_bytes().contains(&b)
            })
    };
    Some(if words(policy, "-.") && words(rule, "-") {
        Ok(name)
    } else {
        Err(problem(
            "spec.rule",
            quoted(name),
            "policy/rule for an own rule, such as images/unpinned-image",
        ))
    })
}

/// What is wrong with the kind, where any kind that own rules judge will do.
fn own_kind(name: &str) -> Option<ExceptionProblem> {
    let kinds = || Kind::JUDGED.into_iter().map(Kind::as_str);
    if kinds().any(|kind| kind == name) {
        return None;
    }
    let passes = match nearest(name, kinds()) {
        Some(near) => format!("did you mean {near}?"),
        None => kinds().collect::<Vec<_>>().join(", "),
    };
    let found = format!("{}, which no own rule judges", quoted(name));
    Some(problem("spec.subject.kind", found, passes))
}

/// It expires later than an exception may. The words do not change with the time, so that a status that says them is written once.
pub(super) fn too_far(expires: Timestamp, bounds: &ExceptionBounds) -> ExceptionProblem {
    const DAY: u64 = 24 * 3600;
    let longest = sluice_api::Duration::from_secs(bounds.longest.as_secs());
    let counts = SignedDuration::try_from(bounds.longest)
        .ok()
        .and_then(|longest| expires.checked_sub(longest).ok())
        .map_or_else(String::new, |from| format!(", it counts from {from} on"));
    problem(
        "spec.expires",
        format!("{expires}, too far ahead{counts}"),
        format!(
            "a time within {longest} ({} days)",
            bounds.longest.as_secs() / DAY
        ),
    )
}

fn rule(name: &str) -> Result<&'static dyn Rule, ExceptionProblem> {
    let found = rule_by_name(name).or_else(|| rule_by_code(name));
    match found {
        Some(rule) if rule.code() == MALFORMED.code() => Err(problem(
            "spec.rule",
            format!("{}, which has no exceptions", rule.name()),
            "another rule: an object that cannot be read would pass every rule",
        )),
        Some(rule) => Ok(rule),
        None => {
            let passes = if name.to_ascii_uppercase().starts_with("SLU0") {
                "a rule, see `sluice rules`: refusals of releases have no exceptions".to_owned()
            } else {
                match nearest(name, rules().iter().map(|rule| rule.name())) {
                    Some(near) => format!("the name or the code of a rule; did you mean {near}?"),
                    None => "the name or the code of a rule, see `sluice rules`, or policy/rule for an own one".to_owned(),
                }
            };
            Err(problem(
                "spec.rule",
                format!("unknown rule {}", quoted(name)),
                passes,
            ))
        }
    }
}

/// What is wrong with the kind, given the rule that may be broken.
fn kind(rule: &'static dyn Rule, name: &str) -> Option<ExceptionProblem> {
    let judged: Vec<&str> = rule.kinds().iter().map(|kind| kind.as_str()).collect();
    if judged.is_empty() {
        // it judges every kind there is
        let is_word = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric());
        return (!is_word)
            .then(|| problem("spec.subject.kind", quoted(name), "a kind, such as CronJob"));
    }
    if judged.contains(&name) {
        return None;
    }
    let passes = match nearest(name, judged.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => judged.join(", "),
    };
    let found = format!("{}, which {} does not judge", quoted(name), rule.name());
    Some(problem("spec.subject.kind", found, passes))
}

/// Names with dots between them, `[3]` or `[*]` behind a name.
fn is_path(path: &str) -> bool {
    path.split('.').all(|part| {
        let (name, index) = match part.split_once('[') {
            Some((name, rest)) => (name, Some(rest)),
            None => (part, None),
        };
        let named = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_/".contains(c));
        let indexed = index.is_none_or(|index| {
            index.strip_suffix(']').is_some_and(|inner| {
                inner == "*" || (!inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit()))
            })
        });
        named && indexed
    })
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    format!("{short:?}")
}

fn problem(path: &str, found: impl Into<String>, passes: impl Into<String>) -> ExceptionProblem {
    ExceptionProblem {
        exception: String::new(),
        path: path.to_owned(),
        found: found.into(),
        passes: passes.into(),
    }
}
