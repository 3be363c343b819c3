//! Exceptions from policies.

use serde_json::{Value, json};

use super::{super::*, ask};
use crate::fixtures::{Cluster, cronjob, object, review};

fn exception(expires: jiff::SignedDuration) -> Value {
    let expires = jiff::Timestamp::now() + expires;
    json!({
        "subject": {"kind": "CronJob", "name": "rep*"}, "rule": "SLU1001", "reason": "mended soon",
        "owner": "team-reports", "expires": expires,
    })
}

#[test]
fn what_is_excepted_is_let_in_with_a_warning_until_the_exception_expires() {
    let cluster = |namespace, hours| {
        Cluster::new()
            .policy(
                "sluice-system",
                "jobs",
                &json!([{"use": "cronjob-without-deadline"}]),
            )
            .exception(
                namespace,
                "e",
                &exception(jiff::SignedDuration::from_hours(hours)),
            )
    };
    for (namespace, hours, outcome) in [
        ("shop", 24, Outcome::Warned),
        ("sluice-system", 24, Outcome::Warned),
        ("bank", 24, Outcome::Denied),
        ("shop", -1, Outcome::Denied),
        ("shop", 24 * 91, Outcome::Denied),
    ] {
        let answer = ask(&cluster(namespace, hours), Hook::Workload, &cronjob(), None);
        assert_eq!(answer.outcome, outcome, "{namespace} {hours}");
        if outcome == Outcome::Warned {
            let told = answer.reply.warnings.concat();
            assert!(
                told.contains(&format!("by {namespace}/e, for which team-reports answers")),
                "{told}"
            );
            assert!(answer.findings[0].excepted.is_some());
        }
    }
    // the same cluster, a moment before and at the very second
    let cluster = cluster("shop", 24);
    let at = cluster
        .0
        .indexes
        .rulebook()
        .exceptions
        .standings(jiff::Timestamp::now())
        .next()
        .unwrap()
        .expires;
    let body = serde_json::to_vec(&review(&cronjob(), None, false)).unwrap();
    let review = Review::parse(&body).unwrap();
    let outcome = |time| {
        let now = Now {
            time,
            ..Now::read()
        };
        judge(&cluster.0, Hook::Workload, &review, now)
            .unwrap()
            .outcome
    };
    assert_eq!(
        outcome(at - jiff::SignedDuration::from_nanos(1)),
        Outcome::Warned
    );
    assert_eq!(outcome(at), Outcome::Denied);
}

#[test]
fn an_exception_that_cannot_work_is_refused_and_one_that_ends_soon_is_warned_of() {
    let day = |days: i64| exception(jiff::SignedDuration::from_hours(24 * days));
    let mut misspelt = day(30);
    misspelt["rule"] = json!("cronjob-without-dedline");
    for (spec, refused, warned) in [
        (
            misspelt,
            Some("spec.rule: unknown rule \"cronjob-without-dedline\"; passes: "),
            None,
        ),
        (day(100), Some(", too far ahead, it counts from "), None),
        (day(30), None, None),
        (
            day(3),
            None,
            Some("spec.expires: the exception expires soon"),
        ),
        (
            day(-3),
            None,
            Some("spec.expires: the exception expired at"),
        ),
    ] {
        let object = object("PolicyException", "shop", "e", &spec);
        let answer = ask(&Cluster::new(), Hook::Object, &object, None);
        match refused {
            Some(words) => {
                let text = answer.reply.refused.unwrap();
                assert!(
                    text.starts_with("policyexception/e in namespace shop cannot work: 1 problem")
                        && text.contains(words),
                    "{text}"
                );
            }
            None => assert_eq!(answer.reply.refused, None),
        }
        let warnings = answer.reply.warnings;
        assert_eq!(
            warnings.len(),
            usize::from(warned.is_some()),
            "{warnings:?}"
        );
        assert!(warned.is_none_or(|words| warnings[0].contains(words)));
    }
}

#[test]
fn a_broken_exception_counts_for_nothing_and_is_said() {
    let cluster = Cluster::new()
        .policy(
            "sluice-system",
            "jobs",
            &json!([{"use": "cronjob-without-deadline"}]),
        )
        .exception("shop", "unreadable", &json!({"subject": 7}))
        .exception("shop", "misspelt", &{
            let mut spec = exception(jiff::SignedDuration::from_hours(24));
            spec["subject"]["kind"] = json!("Cronjob");
            spec
        });
    let answer = ask(&cluster, Hook::Workload, &cronjob(), None);
    assert_eq!(answer.outcome, Outcome::Denied);
    let broken = &cluster.0.indexes.rulebook().broken_exceptions;
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(
        broken
            .iter()
            .any(|said| said.starts_with("exception shop/unreadable: spec: "))
    );
    assert!(
        broken
            .iter()
            .any(|said| said.contains("exception shop/misspelt: spec.subject.kind: "))
    );
}
