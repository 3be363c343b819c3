//! A container that sleeps through the time it has to end in.

use sluice_api::Action;
use sluice_tree::Value;

use crate::{
    rule::{Case, Category, Parameter, RawFinding, Report, Rule, RuleInfo, SpanParameter},
    view::{Int, Kind, Read, Role, lookup},
};

const GRACE: Read = Read::pod("terminationGracePeriodSeconds");
const PRE_STOP: &str = "lifecycle.preStop";

static LEFT: SpanParameter = SpanParameter {
    name: "minAfterPreStop",
    default: 5,
    least: 0,
    most: 3600,
    meaning: "how much of `terminationGracePeriodSeconds` must be left after the sleep of `preStop`, for the process to end in",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3004",
    name: "grace-shorter-than-prestop",
    title: "a container is killed in the middle of its orderly end",
    category: Category::RolloutSafety,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[Parameter::Span(&LEFT)],
    ordered: &[],
    facts: &[],
    reads: &[
        GRACE,
        Read::pod("containers[*].lifecycle"),
        Read::pod("initContainers[*].lifecycle"),
        Read::pod("initContainers[*].restartPolicy"),
    ],
    document: include_str!("grace_shorter_than_prestop.md"),
};

struct GraceShorterThanPrestop;

pub(in crate::rules) const RULE: &dyn Rule = &GraceShorterThanPrestop;

impl Rule for GraceShorterThanPrestop {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let field = case.field(GRACE);
        let Int::Is(grace) = field.int() else {
            return;
        };
        let left = case.seconds(&LEFT);
        for container in case.view.containers() {
            if container.role == Role::Init {
                continue;
            }
            let Some(slept) = container.get(PRE_STOP).and_then(slept) else {
                continue;
            };
            if slept == 0 || grace.saturating_sub(slept) >= left {
                continue;
            }
            let mut finding = RawFinding::of_container(
                case.view,
                &container,
                PRE_STOP,
                &format!(
                    "sleeps {slept}s, terminationGracePeriodSeconds is {}",
                    field.found()
                ),
                format!(
                    "terminationGracePeriodSeconds of at least {}, or a shorter sleep",
                    slept.saturating_add(left)
                ),
            );
            finding.measure = Some(i128::from(slept) - i128::from(grace));
            // less than the bound is a matter of taste, nothing at all is not
            report.add(if grace > slept {
                finding.at_most_a_warning()
            } else {
                finding
            });
        }
    }
}

/// How long a hook sleeps, as far as its text says so.
fn slept(hook: &Value) -> Option<i64> {
    if let Some(seconds) = lookup(hook, "sleep.seconds") {
        return seconds.as_i64().map(|seconds| seconds.max(0));
    }
    let command: Vec<&str> = lookup(hook, "exec.command")?
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let program = |path: &'_ str| path.rsplit('/').next().map(str::to_owned);
    match command.as_slice() {
        [first, times @ ..] if program(first).as_deref() == Some("sleep") => sum(times),
        [shell, flags, script, ..]
            if program(shell).is_some_and(|shell| shell.ends_with("sh"))
                && flags.starts_with('-')
                && flags.ends_with('c') =>
        {
            let each = script.split([';', '&', '|', '\n']).filter_map(|command| {
                let words: Vec<&str> = command.split_whitespace().collect();
                match words.as_slice() {
                    [first, times @ ..] if program(first).as_deref() == Some("sleep") => sum(times),
                    _ => None,
                }
            });
            each.reduce(i64::saturating_add)
        }
        _ => None,
    }
}

/// `sleep` adds up its arguments; one that does not read makes the whole unreadable.
fn sum(times: &[&str]) -> Option<i64> {
    times.iter().try_fold(0_i64, |sum, time| {
        let (digits, unit) = match time.strip_suffix(['s', 'm', 'h', 'd']) {
            Some(digits) => (digits, time.chars().last()),
            None => (*time, None),
        };
        let whole: i64 = digits.split('.').next()?.parse().ok()?;
        let seconds = match unit {
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86400,
            _ => 1,
        };
        (whole >= 0).then(|| sum.saturating_add(whole.saturating_mul(seconds)))
    })
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    #[test]
    fn a_sleep_is_read_where_its_text_says_how_long() {
        for (hook, expected) in [
            (json!({"sleep": {"seconds": 15}}), Some(15)),
            (json!({"sleep": {"seconds": "15"}}), None),
            (json!({"exec": {"command": ["sleep", "15"]}}), Some(15)),
            (
                json!({"exec": {"command": ["/bin/sleep", "1m", "5s"]}}),
                Some(65),
            ),
            (
                json!({"exec": {"command": ["sh", "-c", "sleep 10; nginx -s quit && sleep 5"]}}),
                Some(15),
            ),
            (
                json!({"exec": {"command": ["/bin/bash", "-ec", "sleep 2.5"]}}),
                Some(2),
            ),
            (
                json!({"exec": {"command": ["sh", "-c", "sleep $DRAIN"]}}),
                None,
            ),
            (json!({"exec": {"command": ["sleep", "-5"]}}), None),
            (json!({"exec": {"command": ["sleep"]}}), Some(0)),
            (
                json!({"exec": {"command": ["sleep", "99999999999999999999"]}}),
                None,
            ),
            (
                json!({"exec": {"command": ["sleep", "9223372036854775807d", "1"]}}),
                Some(i64::MAX),
            ),
            (json!({"exec": {"command": ["nginx", "-s", "quit"]}}), None),
            (json!({"exec": {"command": 3}}), None),
            (json!({"httpGet": {"port": 80}}), None),
            (json!("x"), None),
        ] {
            assert_eq!(slept(&hook), expected, "{hook}");
        }
    }
}
