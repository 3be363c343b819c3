//! Exceptions in files: what they let pass, and what is told of them.

use jiff::{SignedDuration, Timestamp};

use crate::{
    check::unbounded,
    folder::{Folder, text},
};

fn exception(name: &str, rule: &str, expires: Timestamp) -> String {
    format!(
        "apiVersion: sluice.dev/v1alpha1
kind: PolicyException
metadata: {{name: e, namespace: shop}}
spec:
  subject: {{kind: CronJob, name: '{name}'}}
  rule: {rule}
  reason: mended in May
  owner: team-reports
  expires: {expires}
"
    )
}

#[test]
fn what_is_excepted_fails_nothing_and_exceptions_tell_what_is_to_be_done_about_them() {
    let folder = Folder::new("exceptions");
    folder.write("x.yaml", unbounded());
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let days = |days: i64| now + SignedDuration::from_hours(24 * days);
    let line = format!(
        "excepted: SLU1001 cronjob-without-deadline at spec.startingDeadlineSeconds: absent; passes: 10 to 3600 seconds (10s to 1h); excepted until {} by shop/e, for which team-reports answers",
        days(30)
    );
    let without_namespace =
        exception("reports", "SLU1001", days(30)).replace(", namespace: shop", "");
    for (what, given, code, said) in [
        (
            "in force",
            exception("rep*", "SLU1001", days(30)),
            0,
            vec![line.as_str(), "1 excepted"],
        ),
        (
            "unused",
            exception("other", "SLU1001", days(30)),
            1,
            vec![
                "deny: SLU1001",
                "e.yaml:1:1: warn: exception shop/e (cronjob-without-deadline): unused",
            ],
        ),
        (
            "ends soon",
            exception("reports", "cronjob-without-deadline", days(3)),
            0,
            vec!["1 excepted", "expires soon, at "],
        ),
        (
            "ended",
            exception("reports", "SLU1001", days(-1)),
            1,
            vec!["deny: SLU1001", "counts for nothing since it expired"],
        ),
        (
            "too far",
            exception("reports", "SLU1001", days(91)),
            1,
            vec!["deny: SLU1001", "counts for nothing yet"],
        ),
        (
            "broken",
            exception("reports", "SLU1999", days(30)),
            2,
            vec!["e.yaml:6:3: spec.rule: unknown rule \"SLU1999\"; passes: "],
        ),
        (
            "no date",
            exception("reports", "SLU1001", days(30)).replace(&days(30).to_string(), "soon"),
            2,
            vec!["spec.expires in body must be of type date-time"],
        ),
        (
            "without a namespace",
            without_namespace,
            2,
            vec!["metadata.namespace: absent; passes: the namespace that the exception covers"],
        ),
    ] {
        folder.write("e.yaml", &given);
        let output = folder.sluice("check x.yaml --exceptions e.yaml");
        let told = text(&output);
        assert_eq!(output.status.code(), Some(code), "{what}: {told}");
        for said in said {
            assert!(told.contains(said), "{what}: {said}\n{told}");
        }
    }
    // the configuration bounds them, and what is excepted fails no run that warnings fail
    folder.write("e.yaml", exception("reports", "SLU1001", days(30)));
    folder.write("c.yaml", "exceptions: {longest: 24h}\n");
    for (more, code) in [("--config c.yaml", 1), ("--fail-on deny,warn", 0)] {
        let output = folder.sluice(&format!("check x.yaml --exceptions e.yaml {more}"));
        assert_eq!(
            output.status.code(),
            Some(code),
            "{more}: {}",
            text(&output)
        );
    }
}
