//! What cannot work is said, and leaves the others in force.

use sluice_tree::json;

use super::{super::*, Asked, DEADLINE, NOW, at, cronjob, excepted, spec};

#[test]
fn what_cannot_work_is_said_with_the_path_and_what_would_pass() {
    for (change, said) in [
        (
            json!({"rule": "cronjob-witout-deadline"}),
            "spec.rule: unknown rule \"cronjob-witout-deadline\"; passes: the name or the code of a rule; did you mean cronjob-without-deadline?",
        ),
        (
            json!({"rule": "SLU1999"}),
            "spec.rule: unknown rule \"SLU1999\"; passes: ",
        ),
        (
            json!({"rule": "SLU0001"}),
            "spec.rule: unknown rule \"SLU0001\"; passes: a rule, see `sluice rules`: refusals of releases have no exceptions",
        ),
        (
            json!({"rule": "malformed-workload"}),
            "spec.rule: malformed-workload, which has no exceptions; passes: ",
        ),
        (
            json!({"rule": "Images/unpinned"}),
            "spec.rule: \"Images/unpinned\"; passes: policy/rule for an own rule, such as images/unpinned-image",
        ),
        (
            json!({"rule": "images/"}),
            "spec.rule: \"images/\"; passes: policy/rule for an own rule",
        ),
        (
            json!({"rule": "a/b/c"}),
            "spec.rule: \"a/b/c\"; passes: policy/rule for an own rule",
        ),
        (
            json!({"rule": "images/unpinned", "subject": {"kind": "Cronjb"}}),
            "spec.subject.kind: \"Cronjb\", which no own rule judges; passes: did you mean CronJob?",
        ),
        (
            json!({"subject": {"kind": "Cronjob"}}),
            "spec.subject.kind: \"Cronjob\", which cronjob-without-deadline does not judge; passes: did you mean CronJob?",
        ),
        (
            json!({"subject": {"kind": "Deployment"}}),
            "spec.subject.kind: \"Deployment\", which cronjob-without-deadline does not judge; passes: CronJob",
        ),
        (
            json!({"subject": {"name": "Re ports"}}),
            "spec.subject.name: \"Re ports\"; passes: a name",
        ),
        (
            json!({"subject": {"name": ""}}),
            "spec.subject.name: \"\"; passes: a name",
        ),
        (
            json!({"subject": {"container": "a/b"}}),
            "spec.subject.container: \"a/b\"; passes: the name of a container",
        ),
        (
            json!({"subject": {"path": "spec..x"}}),
            "spec.subject.path: \"spec..x\"; passes: a path",
        ),
        (
            json!({"subject": {"path": "spec.x[a]"}}),
            "spec.subject.path: \"spec.x[a]\"; passes: a path",
        ),
        (
            json!({"subject": {"path": ".spec"}}),
            "spec.subject.path: \".spec\"; passes: a path",
        ),
        (json!({"owner": " \t"}), "spec.owner: nothing; passes: "),
        (
            json!({"owner": "a\nb"}),
            "spec.owner: \"a\\nb\"; passes: one line of text",
        ),
        (json!({"reason": ""}), "spec.reason: nothing; passes: "),
        (
            json!({"expires": "2026-08-31T00:00:00Z"}),
            "spec.expires: 2026-08-31T00:00:00Z, too far ahead, it counts from 2026-06-02T00:00:00Z on; passes: a time within 2160h (90 days)",
        ),
        (
            json!({"expires": "9999-12-30T00:00:00Z"}),
            "spec.expires: 9999-12-30T00:00:00Z, too far ahead",
        ),
    ] {
        let spec = spec(&change);
        let problems = Exceptions::check(&spec, &ExceptionBounds::default(), at(NOW));
        assert_eq!(problems.len(), 1, "{change}: {problems:?}");
        let text = problems[0].to_string();
        assert!(text.starts_with(said), "{change}\n{text}\n{said}");
        // compiled it counts for nothing, and is said unless it is only a matter of time
        let source = ExceptionSource {
            namespace: "shop",
            name: "e",
            spec: &spec,
            cluster_wide: false,
        };
        let (exceptions, problems) = Exceptions::compile([source], ExceptionBounds::default());
        let object = cronjob();
        let asked = Asked {
            namespace: "shop",
            labels: None,
            object: &object,
            now: NOW,
        };
        assert_eq!(excepted(&exceptions, &asked), [], "{change}");
        if change.get("expires").is_none() {
            assert!(
                problems[0].to_string().starts_with("exception shop/e: "),
                "{problems:?}"
            );
            assert!(exceptions.is_empty());
        }
    }
    for (change, odd) in [
        (json!({}), None),
        (
            json!({"expires": "2026-06-08T12:00:00Z"}),
            Some("expires soon, at 2026-06-08T12:00:00Z"),
        ),
        (
            json!({"expires": NOW}),
            Some("expired at 2026-06-01T12:00:00Z and counts for nothing"),
        ),
    ] {
        let spec = spec(&change);
        let bounds = ExceptionBounds::default();
        assert_eq!(Exceptions::check(&spec, &bounds, at(NOW)), []);
        let told = Exceptions::odd(&spec, &bounds, at(NOW));
        match odd {
            None => assert_eq!(told, None),
            Some(odd) => assert!(
                told.as_deref().is_some_and(|told| told.contains(odd)),
                "{told:?}"
            ),
        }
    }
}

#[test]
fn one_broken_exception_leaves_the_others_in_force() {
    let (good, bad) = (spec(&json!({})), spec(&json!({"rule": "nothing"})));
    let source = |name, spec| ExceptionSource {
        namespace: "shop",
        name,
        spec,
        cluster_wide: false,
    };
    let (exceptions, problems) = Exceptions::compile(
        [source("bad", &bad), source("good", &good)],
        ExceptionBounds::default(),
    );
    assert_eq!((exceptions.len(), problems.len()), (1, 1));
    let object = cronjob();
    let asked = Asked {
        namespace: "shop",
        labels: None,
        object: &object,
        now: NOW,
    };
    assert_eq!(
        excepted(&exceptions, &asked),
        [(DEADLINE.to_owned(), "shop/good".to_owned())]
    );
}
