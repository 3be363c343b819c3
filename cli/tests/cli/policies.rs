//! `sluice policy test`, `diff` and `digest`.

use crate::folder::{Folder, text};
use serde_json::Value;

fn policy(name: &str, rules: &str) -> String {
    format!(
        "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {{name: {name}}}\nspec: {{rules: [{rules}]}}\n"
    )
}

fn job(backoff: u32) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: a, namespace: shop}}\nspec:\n  backoffLimit: {backoff}\n  template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: a}}]}}}}\n"
    )
}

const TESTS: &str = "apiVersion: sluice.dev/v1alpha1
kind: PolicyTest
metadata: {name: jobs}
cases:
- name: a Job that is tried again and again is refused
  manifest:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: a}
    spec: {backoffLimit: 5, template: {spec: {containers: [{name: a, image: a}]}}}
  expect:
  - deny: job-backoff-too-high
    at: spec.backoffLimit
    found: '5'
- name: what it had before only warns
  manifest: job.yaml
  old: job.yaml.old
  expect:
  - warn: SLU1005
    passes: at most 3
    says: backoffLimit
- name: without facts nobody can tell whether it fits
  manifest: [job.yaml]
  facts: unknown
  expect:
  - unknown: quota-breach
  - {deny: job-backoff-too-high, object: job/a}
- name: a quota that has no room
  manifest: job.yaml
  facts:
  - {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop}, spec: {hard: {pods: '0'}}}
  expect:
  - deny: quota-breach
  - deny: job-backoff-too-high
";

fn tested(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write(
        "p/policy.yaml",
        policy("p", "{use: job-backoff-too-high}, {use: quota-breach}"),
    );
    folder.write("p/tests/jobs.yaml", TESTS);
    folder.write("p/tests/job.yaml", job(5));
    folder.write("p/tests/job.yaml.old", job(6));
    folder
}

#[test]
fn cases_that_are_as_expected_pass() {
    let folder = tested("cases");
    let output = folder.sluice("policy test p");
    assert_eq!(
        text(&output),
        "ok    p/tests/jobs.yaml: a Job that is tried again and again is refused
ok    p/tests/jobs.yaml: what it had before only warns
ok    p/tests/jobs.yaml: without facts nobody can tell whether it fits
ok    p/tests/jobs.yaml: a quota that has no room
4 cases as expected
"
    );
    assert_eq!(output.status.code(), Some(0));
    // beside manifests a test is passed over, and as a folder of policies the folder still works
    let said = text(&folder.sluice("check p/tests/jobs.yaml"));
    assert!(
        said.contains("passed over: a PolicyTest is for `sluice policy test` (1)"),
        "{said}"
    );
    let said = text(&folder.sluice("check p/tests/job.yaml --policies p"));
    assert!(said.contains("deny: SLU1005"), "{said}");
}

const EXCEPTED: &str = "apiVersion: sluice.dev/v1alpha1
kind: PolicyTest
metadata: {name: jobs}
cases:
- name: an exception counts before it ends
  manifest: job.yaml
  at: 2026-05-31T23:59:59Z
  exceptions: &e
    apiVersion: sluice.dev/v1alpha1
    kind: PolicyException
    metadata: {name: e, namespace: shop}
    spec: {subject: {kind: Job, name: a}, rule: SLU1005, reason: mended soon, owner: team-a, expires: 2026-06-01T00:00:00Z}
  expect:
  - excepted: job-backoff-too-high
- name: from the second it ends it counts no more
  manifest: job.yaml
  at: 2026-06-01T00:00:00Z
  exceptions: *e
  expect:
  - deny: job-backoff-too-high
- name: a misspelt field is found
  manifest:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: a}
    spec: {backofLimit: 1, backoffLimit: 1, template: {spec: {containers: [{name: a, image: a}]}}}
  expect:
  - deny: unknown-field
    at: spec.backofLimit
- name: the end of a facts document that is none is told
  manifest: job.yaml
  facts: {apiVersion: sluice.dev/v1alpha1, kind: ObservedPeaks, metadata: {name: p, namespace: shop}, memory: []}
  expect:
  - deny: job-backoff-too-high
";

#[test]
fn cases_are_judged_as_check_judges_with_exceptions_moments_and_fields() {
    let folder = Folder::new("cases-beside");
    folder.write("p/policy.yaml", policy("p", "{use: job-backoff-too-high}"));
    folder.write("p/tests/job.yaml", job(5));
    folder.write("p/tests/jobs.yaml", EXCEPTED);
    let output = folder.sluice("policy test p");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    for (from, to, words) in [
        (
            "2026-05-31T23:59:59Z",
            "2026-06-02T00:00:00Z",
            "- expected excepted: job-backoff-too-high",
        ),
        (
            "rule: SLU1005",
            "rule: SLU1999",
            "spec.rule: unknown rule \"SLU1999\"",
        ),
        (
            "spec.backofLimit",
            "spec.other",
            "+ found    deny: SLU8002 unknown-field at spec.backofLimit",
        ),
        (
            "memory: []",
            "memory: [{kind: Job}]",
            "memory[0].name: absent; passes: a name",
        ),
    ] {
        assert!(EXCEPTED.contains(from), "{from}");
        folder.write("p/tests/jobs.yaml", EXCEPTED.replacen(from, to, 1));
        let output = folder.sluice("policy test p");
        assert_eq!(output.status.code(), Some(1), "{to}: {}", text(&output));
        assert!(
            text(&output).contains(words),
            "{words:?} is not in\n{}",
            text(&output)
        );
    }
    // of the command line, for every case and for a comparison
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let exception = format!(
        "apiVersion: sluice.dev/v1alpha1\nkind: PolicyException\nmetadata: {{name: e, namespace: shop}}\nspec: {{subject: {{kind: Job, name: a}}, rule: SLU1005, reason: r, owner: o, expires: '{now}'}}\n"
    );
    folder.write("e/e.yaml", exception);
    folder.write("p/tests/jobs.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: PolicyTest\nmetadata: {name: j}\ncases:\n- {name: a, manifest: job.yaml, expect: [{excepted: SLU1005}]}\n");
    let output = folder.sluice("policy test p --exceptions e");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    folder.write(
        "then.yaml",
        policy(
            "p",
            "{use: job-backoff-too-high, parameters: {maxBackoffLimit: 9}}",
        ),
    );
    let changes = |arguments: &str| {
        let output = folder.sluice(&format!(
            "policy diff p/policy.yaml then.yaml -f p/tests/job.yaml {arguments}"
        ));
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        text(&output)
    };
    assert!(changes("").contains("- deny: SLU1005"));
    assert!(changes("--exceptions e").contains("- excepted: SLU1005"));
    for (arguments, words) in [
        (
            "policy test p --exceptions nowhere",
            "nowhere: no such file or folder",
        ),
        (
            "policy test p --exceptions p/policy.yaml",
            "no PolicyException of sluice.dev/v1alpha1 in it",
        ),
        (
            "policy diff p then.yaml -f p/tests/job.yaml --exceptions nowhere",
            "nowhere: no such file or folder",
        ),
    ] {
        let output = folder.sluice(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments}: {}",
            text(&output)
        );
        assert!(text(&output).contains(words), "{}", text(&output));
    }
}

#[test]
fn a_version_of_kubernetes_is_taken_where_a_policy_names_none() {
    let folder = Folder::new("target");
    folder.write("p/policy.yaml", policy("p", "{use: api-version-removed}"));
    folder.write("m.yaml", "apiVersion: networking.k8s.io/v1beta1\nkind: ServiceCIDR\nmetadata: {name: a}\nspec: {cidrs: [192.0.2.0/24]}\n");
    folder.write("p/tests/t.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: PolicyTest\nmetadata: {name: t}\ncases:\n- {name: a, manifest: ../../m.yaml, expect: [{deny: SLU7001}]}\n");
    for (arguments, code) in [
        ("check m.yaml --policies p --kubernetes-version 1.36", 0),
        ("check m.yaml --policies p --kubernetes-version 1.37", 1),
        ("policy test p --kubernetes-version 1.36", 1),
        ("policy test p --kubernetes-version 1.37", 0),
        ("check m.yaml --policies p --kubernetes-version 1.20", 2),
    ] {
        let output = folder.sluice(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments}: {}",
            text(&output)
        );
    }
}

#[test]
fn a_wrong_expectation_shows_both_sides() {
    let folder = tested("wrong");
    let wrong = |from: &str, to: &str| {
        assert!(TESTS.contains(from), "{from}");
        folder.write("p/tests/jobs.yaml", TESTS.replacen(from, to, 1));
        let output = folder.sluice("policy test p");
        assert_eq!(output.status.code(), Some(1), "{to}: {}", text(&output));
        text(&output)
    };
    let said = wrong("    found: '5'\n", "    found: '6'\n");
    assert!(
        said.contains(
            "wrong p/tests/jobs.yaml:5:3: a Job that is tried again and again is refused
      - expected deny: job-backoff-too-high at spec.backoffLimit: 6
      + found    deny: SLU1005 job-backoff-too-high at spec.backoffLimit: 5; passes: at most 3
"
        ),
        "{said}"
    );
    assert!(said.ends_with("1 of 4 cases not as expected\n"), "{said}");
    for (from, to, words) in [
        (
            "deny: job-backoff-too-high\n",
            "warn: job-backoff-too-high\n",
            "- expected warn: job-backoff-too-high at spec.backoffLimit: 5\n",
        ),
        (
            "at: spec.backoffLimit",
            "at: spec.backofflimit",
            "- expected deny",
        ),
        (
            "  - unknown: quota-breach\n",
            "",
            "+ found    unknown: SLU2003 quota-breach",
        ),
        (
            "passes: at most 3",
            "passes: at most 4",
            "- expected warn: SLU1005; passes: at most 4 … backoffLimit",
        ),
        ("says: backoffLimit", "says: something", "- expected warn"),
        (
            "object: job/a",
            "object: job/b",
            "- expected deny: job-backoff-too-high of job/b",
        ),
        (
            "  expect:\n  - warn: SLU1005\n    passes: at most 3\n    says: backoffLimit\n",
            "  expect: []\n",
            "+ found    warn: SLU1005",
        ),
        (
            "manifest: job.yaml\n",
            "manifest: nothing.yaml\n",
            "nothing.yaml: no such file or folder beside this one",
        ),
        (
            "manifest: job.yaml\n",
            "manifest: []\n",
            "no object to judge",
        ),
        (
            "kind: Job\n",
            "kind: Thing\n",
            "no rule knows Thing of batch/v1",
        ),
        (
            "{name: a}\n",
            "{name: a, ownerReferences: [{kind: CronJob, name: c, controller: true}]}\n",
            "made by its controller",
        ),
        (
            "  - warn: SLU1005\n",
            "  - warn: SLU1005\n    deny: SLU1005\n",
            "an expectation says one of deny, warn, audit, unknown and excepted",
        ),
    ] {
        let said = wrong(from, to);
        assert!(said.contains(words), "{words:?} is not in\n{said}");
    }
    let output = folder.sluice("policy test p -o json");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["passed"], &report["failed"]),
        (&3.into(), &1.into()),
        "{report}"
    );
}

#[test]
fn a_test_that_tests_nothing_is_no_pass() {
    let folder = tested("nothing");
    for (file, content, words) in [
        (
            "p/tests/jobs.yaml",
            String::new(),
            "no case: nothing of kind PolicyTest",
        ),
        (
            "p/tests/jobs.yaml",
            TESTS.split("cases:").next().unwrap().to_owned() + "cases: []\n",
            "p/tests/jobs.yaml:4:1: cases: none",
        ),
        (
            "p/tests/jobs.yaml",
            TESTS.replacen("  expect:\n", "  expects:\n", 1),
            "unknown field `expects`",
        ),
        (
            "p/tests/jobs.yaml",
            TESTS.replacen("    at:", "    where:", 1),
            "p/tests/jobs.yaml:13:5: cases[0].expect[0].where: unknown field",
        ),
        (
            "p/policy.yaml",
            policy("p", "{use: nothing}"),
            "p/policy.yaml:4:17: spec.rules[0].use: unknown rule",
        ),
        (
            "p/bad.yaml",
            "a: [\n".to_owned(),
            "p/bad.yaml:1:4: not readable as YAML",
        ),
    ] {
        let before = folder.path(file).exists().then(|| folder.read(file));
        folder.write(file, content);
        let output = folder.sluice("policy test p");
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{words}: {said}");
        assert!(said.contains(words), "{words:?} is not in\n{said}");
        match before {
            Some(before) => folder.write(file, before),
            None => std::fs::remove_file(folder.path(file)).unwrap(),
        }
    }
    folder.write(
        "p/tests/jobs.yaml",
        TESTS.replace("cases:", "policies: [../policy.yaml]\ncases:"),
    );
    folder.write(
        "p/other.yaml",
        policy("other", "{use: job-without-deadline}"),
    );
    assert_eq!(
        folder.sluice("policy test p").status.code(),
        Some(0),
        "only the policies it names"
    );
}

#[test]
fn diff_says_what_a_change_of_policies_would_change() {
    let folder = Folder::new("policy-diff");
    folder.write(
        "now.yaml",
        policy(
            "p",
            "{use: job-backoff-too-high}, {use: job-without-deadline, action: Warn}",
        ),
    );
    folder.write("then.yaml", policy("p", "{use: job-backoff-too-high, parameters: {maxBackoffLimit: 6}}, {use: job-without-deadline}, {use: container-without-requests}"));
    folder.write("m/a.yaml", job(5));
    let output = folder.sluice("policy diff now.yaml then.yaml -f m");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(
        said.lines()
            .map(|line| line.split(": ").take(3).collect::<Vec<_>>().join(": "))
            .collect::<Vec<_>>()[..6],
        [
            "m/a.yaml: job/a in namespace shop",
            "m/a.yaml:5:3: - deny: SLU1005 job-backoff-too-high at spec.backoffLimit",
            "m/a.yaml:4:1: - warn: SLU1006 job-without-deadline at spec.activeDeadlineSeconds",
            "m/a.yaml:4:1: + deny: SLU1006 job-without-deadline at spec.activeDeadlineSeconds",
            "m/a.yaml:6:56: + deny: SLU2002 container-without-requests at spec.template.spec.containers[0].resources.requests.cpu",
            "m/a.yaml:6:56: + deny: SLU2002 container-without-requests at spec.template.spec.containers[0].resources.requests.memory",
        ],
        "{said}"
    );
    assert!(
        said.contains(
            "1 object judged: 2 new, 1 gone, 1 changed; 1 would be refused now, 1 then (policy set "
        ),
        "{said}"
    );
    let answer: Value = serde_json::from_slice(
        &folder
            .sluice("policy diff now.yaml then.yaml -f m -o json")
            .stdout,
    )
    .unwrap();
    assert_eq!(answer["changes"].as_array().unwrap().len(), 4);
    assert_eq!(answer["refused"], serde_json::json!([1, 1]));
    for (arguments, code) in [
        ("policy diff now.yaml now.yaml -f m", 0),
        ("policy diff reliability reliability -f m", 0),
        ("policy diff now.yaml reliability -f m", 1),
        ("policy diff now.yaml missing.yaml -f m", 2),
        ("policy diff now.yaml then.yaml -f missing", 2),
        ("policy diff now.yaml then.yaml", 2),
    ] {
        let output = folder.sluice(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments}: {}",
            text(&output)
        );
    }
}

#[test]
fn the_digest_changes_with_the_meaning_only() {
    let folder = Folder::new("digest");
    folder.write(
        "a.yaml",
        policy(
            "p",
            "{use: job-backoff-too-high}, {use: job-without-deadline}",
        ),
    );
    folder.write("b.yaml", format!("# a comment\n{}", policy("p", "{use: job-without-deadline}, {use: job-backoff-too-high, parameters: {maxBackoffLimit: 3}}")));
    folder.write("c.yaml", policy("p", "{use: job-without-deadline}"));
    let digest = |arguments: &str| {
        let output = folder.sluice(&format!("policy digest {arguments}"));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        text(&output)
    };
    let first = digest("a.yaml");
    assert_eq!((first.trim().len(), &digest("b.yaml")), (64, &first));
    assert_ne!(digest("c.yaml"), first);
    assert_eq!(digest(""), digest("reliability"));
    let output = folder.sluice("policy digest missing.yaml");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}
