//! The forms in which `sluice check` reports, each read as its reader reads it.

use crate::{
    folder::{Folder, text},
    schema::violations,
};
use serde_json::Value;

const POLICY: &str = "apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: p}
spec:
  rules:
  - use: job-backoff-too-high
  - use: job-without-deadline
    action: Warn
  - use: quota-breach
";

fn job(name: &str, backoff: u32) -> String {
    format!(
        "apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  namespace: shop
spec:
  backoffLimit: {backoff}  # why
  activeDeadlineSeconds: 60
  template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: a}}]}}}}
"
    )
}

/// One thing of each level: a denial, a warning, what nobody can tell, what is not accepted, what cannot be read, and what passes.
fn filled(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("p.yaml", POLICY);
    folder.write(
        "known.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
    );
    folder.write("m/a, b.yaml", job("a", 5));
    folder.write(
        "m/c.yaml",
        job("c", 1).replace("  activeDeadlineSeconds: 60\n", ""),
    );
    folder.write("m/elsewhere.yaml", job("e", 1).replace("shop", "elsewhere"));
    folder.write(
        "m/gate.yaml",
        "apiVersion: sluice.dev/v1alpha1\nkind: Gate\nmetadata: {name: g}\nspec:\n  components: {}\n  whenShut: Deny\n",
    );
    folder.write("m/good.yaml", job("good", 1));
    folder.write("m/z<&>.yaml", "a: [\n");
    folder
}

const ALL: &str = "check m --policies p.yaml --facts known.yaml -o";

#[test]
fn text_shows_the_spot() {
    let folder = filled("text");
    let said = text(&folder.sluice(&format!("{ALL} text")));
    for lines in [
        "m/a, b.yaml:7:3: deny: SLU1005 job-backoff-too-high at spec.backoffLimit: 5; passes: at most 3\n    7 |   backoffLimit: 5  # why\n      |   ^^^^^^^^^^^^^^^\n",
        "m/c.yaml:6:1: warn: SLU1006 job-without-deadline at spec.activeDeadlineSeconds: absent; passes: 1 to 86400 seconds (1s to 24h)\n    6 | spec:\n      | ^^^^^ no activeDeadlineSeconds here\n",
        "m/gate.yaml:6:3: deny: unknown field \"spec.whenShut\"",
        "    6 |   whenShut: Deny\n      |   ^^^^^^^^^^^^^^\n",
        "m/elsewhere.yaml:1:1: unknown: SLU2003 quota-breach",
        "5 objects judged, 2 would be refused, 2 findings deny, 1 warn, 1 cannot be told, 1 not readable",
    ] {
        assert!(said.contains(lines), "{lines:?} is not in\n{said}");
    }
    let concise = text(&folder.sluice(&format!("{ALL} concise")));
    assert!(
        concise.contains("m/a, b.yaml:7:3: deny: SLU1005") && !concise.contains('^'),
        "{concise}"
    );
}

#[test]
fn sarif_is_what_its_schema_allows_and_points_at_the_spot() {
    let folder = filled("sarif");
    let output = folder.sluice(&format!("{ALL} sarif"));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    let schema = include_str!("sarif-schema-2.1.0.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(violations(&schema, &log), Vec::<String>::new());

    let run = &log["runs"][0];
    let results: Vec<_> = run["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            let id = result["ruleId"].as_str().unwrap();
            let rule =
                &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], id);
            (
                id,
                result["kind"].as_str().unwrap(),
                result["level"].as_str().unwrap(),
                place["artifactLocation"]["uri"].as_str().unwrap(),
                place["region"]["startLine"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        results,
        [
            ("not-readable", "fail", "error", "m/z%3C%26%3E.yaml", 1),
            ("SLU1005", "fail", "error", "m/a%2C%20b.yaml", 7),
            ("SLU1006", "fail", "warning", "m/c.yaml", 6),
            ("SLU2003", "open", "none", "m/elsewhere.yaml", 1),
            ("not-accepted", "fail", "error", "m/gate.yaml", 6),
        ]
    );
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let rule = &run["tool"]["driver"]["rules"][0];
    assert!(
        rule["help"]["markdown"]
            .as_str()
            .unwrap()
            .starts_with("# job-backoff-too-high"),
        "{rule}"
    );
    // a log of another shape is not allowed: the check of the schema can fail
    let mut wrong = log.clone();
    wrong["runs"][0]["results"][0]["level"] = "deny".into();
    wrong["runs"][0]["tool"]["driver"]["name"] = 1.into();
    assert_eq!(violations(&schema, &wrong).len(), 2);
}

#[test]
fn junit_counts_what_fails_the_run() {
    let folder = filled("junit");
    for (fail_on, counts) in [
        (
            "deny",
            "tests=\"6\" failures=\"2\" errors=\"1\" skipped=\"1\"",
        ),
        (
            "warn,unknown",
            "tests=\"6\" failures=\"4\" errors=\"1\" skipped=\"0\"",
        ),
        (
            "never",
            "tests=\"6\" failures=\"0\" errors=\"1\" skipped=\"1\"",
        ),
    ] {
        let said = text(&folder.sluice(&format!("{ALL} junit --fail-on {fail_on}")));
        assert!(
            said.contains(&format!("<testsuites name=\"sluice check\" {counts}>")),
            "{said}"
        );
        let counted = |tag: &str| said.matches(&format!("<{tag}")).count();
        assert_eq!(counted("testcase"), 6, "{said}");
        assert_eq!(counted("testsuite "), 6, "{said}");
        assert_eq!(said.matches("</testcase>").count(), 5, "{said}");
    }
    let said = text(&folder.sluice(&format!("{ALL} junit")));
    for line in [
        "<testsuite name=\"m/z&lt;&amp;&gt;.yaml\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">",
        "<testcase classname=\"job/a in namespace shop\" name=\"SLU1005 job-backoff-too-high at spec.backoffLimit\" file=\"m/a, b.yaml\" line=\"7\">",
        "<testcase classname=\"job/good in namespace shop\" name=\"no finding\"/>",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
}

#[test]
fn github_gets_commands_and_the_summary() {
    let folder = filled("github");
    let said = text(&folder.sluice(&format!("{ALL} github")));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 6, "{said}");
    assert!(
        lines[0].starts_with(
            "::error file=m/z<&>.yaml,line=1,col=4,title=not-readable::not readable as YAML"
        ),
        "{said}"
    );
    assert_eq!(
        lines[1],
        "::error file=m/a%2C b.yaml,line=7,col=3,title=SLU1005 job-backoff-too-high::job/a in namespace shop: SLU1005 job-backoff-too-high at spec.backoffLimit: 5; passes: at most 3"
    );
    assert!(
        lines[2].starts_with("::error file=m/gate.yaml,line=6,col=3,title=not-accepted::"),
        "{said}"
    );
    assert!(
        lines[3].starts_with(
            "::warning file=m/c.yaml,line=6,col=1,title=SLU1006 job-without-deadline::"
        ),
        "{said}"
    );
    assert!(
        lines[4].starts_with("::warning file=m/elsewhere.yaml,"),
        "{said}"
    );
    assert!(lines[5].starts_with("5 objects judged"), "{said}");
}

#[test]
fn gitlab_gets_findings_with_fingerprints_that_stay_when_lines_move() {
    let folder = filled("gitlab");
    let report = || -> Vec<Value> {
        let output = folder.sluice(&format!("{ALL} gitlab"));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let before = report();
    let shown: Vec<_> = before
        .iter()
        .map(|entry| {
            (
                entry["check_name"].as_str().unwrap(),
                entry["severity"].as_str().unwrap(),
                entry["location"]["path"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("not-readable", "blocker", "m/z<&>.yaml"),
            ("job-backoff-too-high", "major", "m/a, b.yaml"),
            ("job-without-deadline", "minor", "m/c.yaml"),
            ("quota-breach", "info", "m/elsewhere.yaml"),
            ("not-accepted", "major", "m/gate.yaml"),
        ]
    );
    folder.write("m/a, b.yaml", format!("# moved\n\n{}", job("a", 5)));
    let after = report();
    assert_eq!(after[1]["location"]["lines"]["begin"], 9);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["fingerprint"], after["fingerprint"], "{after}");
    }
}

#[test]
fn every_form_is_the_same_twice_and_can_be_written_beside_another() {
    let folder = filled("twice");
    for form in [
        "text", "concise", "json", "yaml", "sarif", "junit", "github", "gitlab",
    ] {
        let first = folder.sluice(&format!("{ALL} {form}"));
        assert_eq!(first.status.code(), Some(2), "{form}: {}", text(&first));
        assert_eq!(
            first.stdout,
            folder.sluice(&format!("{ALL} {form}")).stdout,
            "{form}"
        );
        let beside = folder.sluice(&format!("{ALL} concise --report {form}=out/{form}"));
        assert_eq!(beside.status.code(), Some(2), "{form}");
        assert!(
            text(&beside).contains("cannot be written"),
            "{form}: {}",
            text(&beside)
        );
        folder.write("out/there", "");
        folder.sluice(&format!("{ALL} concise --report {form}=out/{form}"));
        assert_eq!(
            folder.read(&format!("out/{form}")).as_bytes(),
            first.stdout,
            "{form}"
        );
        std::fs::remove_dir_all(folder.path("out")).unwrap();
    }
    for report in ["sarif", "sarif=", "=x", "word=x"] {
        let output = folder.sluice(&format!("{ALL} text --report {report}"));
        assert_eq!(output.status.code(), Some(2), "{report}");
    }
}

#[test]
fn fail_on_decides_the_exit_code() {
    let folder = filled("fail-on");
    for (files, words, code) in [
        ("m/c.yaml", "deny", 0),
        ("m/c.yaml", "warn", 1),
        ("m/c.yaml", "unknown", 0),
        ("m/elsewhere.yaml", "warn", 0),
        ("m/elsewhere.yaml", "warn,unknown", 1),
        ("m/gate.yaml", "deny", 1),
        ("m/gate.yaml", "never", 0),
        ("m/gate.yaml", "never,warn", 2),
        ("m/good.yaml", "deny,warn,unknown", 0),
    ] {
        let output = folder.sluice(&format!(
            "check {files} --policies p.yaml --facts known.yaml --fail-on {words}"
        ));
        assert_eq!(
            output.status.code(),
            Some(code),
            "{files} {words}: {}",
            text(&output)
        );
    }
}
