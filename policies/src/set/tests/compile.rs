//! Policies that cannot work, and what names a set.

use sluice_api::PolicySpec;
use sluice_tree::{Value, json};

use super::spec;
use crate::set::{PolicySet, PolicySource};

#[test]
fn a_policy_that_cannot_work_says_why_and_the_others_work() {
    for (rules, path, passes) in [
        (
            json!([{"use": "cronjob-witout-deadline"}]),
            "spec.rules[0].use",
            "the name of a rule; did you mean cronjob-without-deadline?",
        ),
        (
            json!([{"use": "SLU1001"}]),
            "spec.rules[0].use",
            "cronjob-without-deadline (a rule is used by its name, not by its code)",
        ),
        (
            json!([{"use": "quite-something-else"}]),
            "spec.rules[0].use",
            "the name of a rule, see `sluice rules`",
        ),
        (
            json!([]),
            "spec.rules",
            "at least one rule, see `sluice rules`",
        ),
        (
            json!([{"use": "cronjob-allows-overlap"}, {"use": "cronjob-allows-overlap", "action": "Warn"}]),
            "spec.rules[1].use",
            "each rule once in a policy; use a second policy for other namespaces",
        ),
        (
            json!([{"use": "cronjob-without-deadline", "parameters": {"maxStartingDeadlin": "1h"}}]),
            "spec.rules[0].parameters.maxStartingDeadlin",
            "did you mean maxStartingDeadline?",
        ),
        (
            json!([{"use": "cronjob-without-deadline", "parameters": {"maxActiveDeadline": "1h"}}]),
            "spec.rules[0].parameters.maxActiveDeadline",
            "minStartingDeadline, maxStartingDeadline; maxActiveDeadline is a parameter of cronjob-job-without-deadline",
        ),
        (
            json!([{"use": "cronjob-allows-overlap", "parameters": {"limit": 1}}]),
            "spec.rules[0].parameters.limit",
            "no parameters",
        ),
        (
            json!([{"use": "job-backoff-too-high", "parameters": {"maxBackoffLimit": "3"}}]),
            "spec.rules[0].parameters.maxBackoffLimit",
            "a whole number from 0 to 100",
        ),
        (
            json!([{"use": "job-backoff-too-high", "parameters": {"maxBackoffLimit": -1}}]),
            "spec.rules[0].parameters.maxBackoffLimit",
            "a whole number from 0 to 100",
        ),
        (
            json!([{"use": "job-without-deadline", "parameters": {"maxActiveDeadline": 3600}}]),
            "spec.rules[0].parameters.maxActiveDeadline",
            "a duration in whole seconds from 1s to 8784h",
        ),
        (
            json!([{"use": "job-without-deadline", "parameters": {"maxActiveDeadline": "1500ms"}}]),
            "spec.rules[0].parameters.maxActiveDeadline",
            "a duration in whole seconds from 1s to 8784h",
        ),
        (
            json!([{"use": "cronjob-without-deadline", "parameters": {"maxStartingDeadline": "5s"}}]),
            "spec.rules[0].parameters.minStartingDeadline",
            "at most maxStartingDeadline, which is 5s",
        ),
    ] {
        let broken = spec(json!({"rules": rules}));
        let works = spec(json!({"rules": [{"use": "cronjob-allows-overlap"}]}));
        let problems = PolicySet::check(&broken);
        assert_eq!(problems.len(), 1, "{rules}: {problems:?}");
        assert_eq!(
            (problems[0].path.as_str(), problems[0].passes.as_str()),
            (path, passes),
            "{rules}"
        );
        let source = |name, spec| PolicySource {
            namespace: "shop",
            name,
            spec,
            cluster_wide: false,
        };
        let (set, problems) =
            PolicySet::compile([source("broken", &broken), source("works", &works)]);
        assert_eq!(problems[0].policy, "shop/broken");
        assert_eq!(set.policies(), 1);
        let alone = PolicySet::compile([source("works", &works)]).0;
        assert_eq!(set.digest(), alone.digest());
    }
    let odd = spec(
        json!({"match": {"namespaces": {"matchExpressions": [{"key": "a", "operator": "In"}, {"key": "b", "operator": "Exists", "values": ["x"]}]}}, "rules": [{"use": "cronjob-allows-overlap"}]}),
    );
    let lines: Vec<String> = PolicySet::check(&odd)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "spec.match.namespaces.matchExpressions[0].values: no value; passes: at least one value with In",
            "spec.match.namespaces.matchExpressions[1].values: a list; passes: no values with Exists",
        ]
    );
}

#[test]
fn the_digest_goes_by_meaning() {
    let digest = |sources: &[(&str, Value, bool)]| {
        let specs: Vec<PolicySpec> = sources
            .iter()
            .map(|(_, value, _)| spec(value.clone()))
            .collect();
        let (set, problems) =
            PolicySet::compile(sources.iter().zip(&specs).map(|((name, _, wide), spec)| {
                PolicySource {
                    namespace: "sluice-system",
                    name,
                    spec,
                    cluster_wide: *wide,
                }
            }));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(set.digest().len(), 64);
        set.digest().to_owned()
    };
    let a = json!({"rules": [{"use": "cronjob-allows-overlap"}, {"use": "job-backoff-too-high"}]});
    let b = json!({"rules": [{"use": "job-without-deadline", "action": "Warn"}]});
    let base = digest(&[("a", a.clone(), true), ("b", b.clone(), true)]);
    let turned = json!({"match": {}, "rules": [{"use": "job-backoff-too-high", "action": "Deny", "parameters": {"maxBackoffLimit": 3}}, {"use": "cronjob-allows-overlap"}]});
    assert_eq!(digest(&[("b", b.clone(), true), ("a", turned, true)]), base);
    for other in [
        digest(&[("a", a.clone(), true)]),
        digest(&[("a", a.clone(), true), ("b", b.clone(), false)]),
        digest(&[("a", a.clone(), true), ("c", b.clone(), true)]),
        digest(&[
            ("a", a.clone(), true),
            (
                "b",
                json!({"rules": [{"use": "job-without-deadline"}]}),
                true,
            ),
        ]),
        digest(&[
            (
                "a",
                json!({"rules": [{"use": "cronjob-allows-overlap"}, {"use": "job-backoff-too-high", "parameters": {"maxBackoffLimit": 4}}]}),
                true,
            ),
            ("b", b, true),
        ]),
    ] {
        assert_ne!(other, base);
    }
    assert_eq!(PolicySet::default().digest(), digest(&[]));
}
