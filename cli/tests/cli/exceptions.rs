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

#[test]
fn an_own_rule_is_excepted_like_every_other_and_sarif_says_why() {
    let folder = Folder::new("own-exceptions");
    folder.write("x.yaml", unbounded());
    folder.write(
        "p.yaml",
        "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: names}\nspec: {rules: [{name: named-well, kinds: [CronJob], cel: object.metadata.name == 'x'}]}\n",
    );
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let until = now + SignedDuration::from_hours(24);
    for (rule, until, code) in [
        ("names/named-well", until, 0),
        ("names/other", until, 1),
        ("names/named-well", now - SignedDuration::from_secs(1), 1),
    ] {
        folder.write("e.yaml", exception("reports", rule, until));
        let check = "check x.yaml --policies p.yaml --exceptions e.yaml";
        let output = folder.sluice(check);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{rule}: {said}");
        let excepted = said.contains("excepted: OWN named-well at -: the rule does not hold");
        assert_eq!(excepted, code == 0, "{said}");
        let sarif = folder.sluice(&format!("{check} -o sarif"));
        let log: serde_json::Value = serde_json::from_slice(&sarif.stdout).unwrap();
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["ruleId"], "OWN");
        let schema = include_str!("sarif-schema-2.1.0.json");
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        assert_eq!(
            crate::schema::violations(&schema, &log),
            Vec::<String>::new()
        );
        let suppressions = if code == 0 {
            serde_json::json!([{"kind": "external", "status": "accepted", "justification": format!("mended in May (PolicyException shop/e, for which team-reports answers, until {until})")}])
        } else {
            serde_json::Value::Null
        };
        assert_eq!(result["suppressions"], suppressions, "{rule}");
    }
}
