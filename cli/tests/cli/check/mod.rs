//! `sluice check` as a pipeline runs it: files in, text and exit code out. What only a file shows: [`raw`].

mod raw;

use std::process::Command;

use serde_json::Value;

use crate::folder::{Folder, text};

const BOUNDED: &str = "apiVersion: batch/v1
kind: CronJob
metadata: {name: reports, namespace: shop}
spec:
  schedule: '0 3 * * *'
  startingDeadlineSeconds: 600
  concurrencyPolicy: Forbid
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 1
  jobTemplate:
    spec:
      activeDeadlineSeconds: 600
      backoffLimit: 1
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: report
            image: registry.test/report@sha256:0
            resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
";

pub fn unbounded() -> String {
    BOUNDED.replace("  startingDeadlineSeconds: 600\n", "")
}

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

#[test]
fn answers_with_the_exit_code_and_the_place() {
    let folder = Folder::new("table");
    let deny = "deny: SLU1001 cronjob-without-deadline at spec.startingDeadlineSeconds: absent; passes: 10 to 3600 seconds (10s to 1h)";
    let cases: Vec<(&str, String, i32, Vec<String>)> = vec![
        ("bounded", BOUNDED.into(), 0, vec!["1 object judged".into()]),
        ("unbounded", unbounded(), 1, vec![format!("x.yaml:4:1: {deny}"), "x.yaml:1:1: cronjob/reports in namespace shop".into(), "1 would be refused".into()]),
        ("CRLF", unbounded().replace('\n', "\r\n"), 1, vec![format!("x.yaml:4:1: {deny}")]),
        ("byte order mark", format!("\u{feff}{}", unbounded()), 1, vec![deny.into()]),
        ("second document", format!("{CONFIG_MAP}---\n{}", unbounded()), 1, vec![format!("x.yaml:8:1: {deny}"), "passed over: no rule knows ConfigMap of v1 (1)".into()]),
        ("between broken documents", format!("a: [\n---\n{}---\n1: a\n1: b\n", unbounded()), 2, vec![
            "x.yaml:1:4: not readable as YAML".into(),
            format!("x.yaml:6:1: {deny}"),
            "x.yaml:24:1: not readable as YAML: duplicate mapping key: 1".into(),
            "2 not readable".into(),
        ]),
        ("tabs", "apiVersion: v1\nkind:\n\tConfigMap\n".into(), 2, vec!["x.yaml:3".into(), "tab".into()]),
        ("empty", String::new(), 0, vec!["passed over: x.yaml holds no document (1)".into(), "0 objects judged".into()]),
        ("separators only", "---\n---\n".into(), 0, vec!["holds no document".into()]),
        ("comments only", "# nothing\n".into(), 0, vec!["holds no document".into()]),
        ("no object", "just text\n".into(), 2, vec!["x.yaml:1:1: no Kubernetes object".into()]),
        ("no kind", "apiVersion: v1\nmetadata: {name: a}\n".into(), 2, vec!["`kind` is missing".into()]),
        ("separator with text", format!("{CONFIG_MAP}--- x\n{BOUNDED}"), 2, vec!["x.yaml:4:5: a document separator may be followed by nothing but a comment".into()]),
        ("list", format!("apiVersion: v1\nkind: List\nitems:\n- {}", unbounded().trim_end().replace('\n', "\n  ")), 1, vec![format!("x.yaml:7:3: {deny}")]),
        ("anchors", unbounded().replace("requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}", "requests: {cpu: 100m, memory: &m 64Mi}, limits: {memory: *m}"), 1, vec!["1 finding denies".into()]),
        ("merge keys", unbounded().replace("        spec:\n          restart", "        spec:\n          <<: {terminationGracePeriodSeconds: 5}\n          restart"), 1, vec!["1 finding denies".into()]),
        ("JSON", serde_json::to_string_pretty(&serde_saphyr::from_str::<Value>(&unbounded()).unwrap()).unwrap(), 1, vec![deny.into()]),
        ("old octal", BOUNDED.replace("backoffLimit: 1", "backoffLimit: 010"), 1, vec!["SLU1005 job-backoff-too-high at spec.jobTemplate.spec.backoffLimit: 8; passes: at most 3".into()]),
        ("API default said so", BOUNDED.replace("  concurrencyPolicy: Forbid\n", ""), 1, vec!["spec.concurrencyPolicy: Allow (API default)".into()]),
        ("made by a controller", unbounded().replace("namespace: shop}", "namespace: shop, ownerReferences: [{kind: Thing, name: t, controller: true}]}"), 0, vec!["passed over: not judged: made by its controller Thing/t (1)".into()]),
        ("wrong type", BOUNDED.replace("startingDeadlineSeconds: 600", "startingDeadlineSeconds: soon"), 1, vec!["x.yaml:6:3: deny: ".into()]),
        ("unknown kinds", "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n---\napiVersion: example.com/v1\nkind: Thing\nmetadata: {name: b}\n".into(), 0, vec!["passed over: no rule knows Thing of example.com/v1, nor Kubernetes 1.37 or a definition among the files its fields (2)".into()]),
    ];
    for (what, manifest, code, words) in cases {
        folder.write("x.yaml", manifest);
        let output = folder.sluice("check x.yaml");
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        for word in words {
            assert!(said.contains(&word), "{what}: {word:?} is not in\n{said}");
        }
        assert!(!said.contains('\u{1b}'), "{what}: a pipe gets plain text");
    }
}

#[test]
fn reads_files_folders_globs_and_the_standard_input_once_each() {
    let folder = Folder::new("sources");
    folder.write("manifests/a.yaml", unbounded());
    folder.write("manifests/deep/b.yml", BOUNDED);
    folder.write("manifests/notes.txt", "not a manifest");
    folder.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: c\nversion: 0.1.0\n",
    );
    folder.write("manifests/.git/c.yaml", unbounded());
    folder.write("latin.yaml", b"name: gr\xfc\xdfe\n");
    for (arguments, input, code, words) in [
        (
            "check manifests",
            "",
            1,
            "2 objects judged, 1 would be refused",
        ),
        (
            "check -f manifests/ manifests/a.yaml",
            "",
            1,
            "2 objects judged",
        ),
        (
            "check manifests/a.yaml manifests/a.yaml",
            "",
            1,
            "1 object judged",
        ),
        ("check manifests/*.yaml", "", 1, "1 object judged"),
        ("check **/*.yml", "", 0, "1 object judged"),
        ("check -", BOUNDED, 0, "1 object judged"),
        (
            "check manifests/deep missing.yaml",
            "",
            2,
            "missing.yaml: no such file or folder",
        ),
        (
            "check missing/*.yaml",
            "",
            2,
            "missing/*.yaml: no file matches",
        ),
        ("check latin.yaml", "", 2, "latin.yaml:1:9: not UTF-8 text"),
        (
            "check",
            "",
            2,
            "behind an option that takes several, such as --policies, give them with -f",
        ),
        (
            "check --policies reliability manifests/a.yaml",
            "",
            2,
            "give them with -f",
        ),
        (
            "check manifests/a.yaml --policies reliabilty",
            "",
            2,
            "reliabilty: no such file or folder; sets that are shipped: reliability, production, security-basics",
        ),
        (
            "check manifests/a.yaml --facts manifests/deep",
            "",
            2,
            "no fact in it",
        ),
        ("check -", "", 2, "did the command before it fail?"),
        ("check -", "---\n# nothing\n", 2, "holds no document"),
        (
            "check chart",
            "",
            2,
            "chart/Chart.yaml:1:1: no Kubernetes object: `kind` is missing or no text; what `helm template` prints",
        ),
        ("check --nonsense a.yaml", "", 2, "--nonsense"),
    ] {
        let output = folder.fed(arguments, input);
        let said = text(&output);
        // a shell would expand globs; here they arrive as they are
        assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
        assert!(
            said.contains(words),
            "{arguments}: {words:?} is not in\n{said}"
        );
    }
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: shop}
spec:
  replicas: 10
  selector: {matchLabels: {app: d}}
  template:
    metadata: {labels: {app: d}}
    spec:
      containers:
      - name: a
        image: a
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {path: /, port: 80}}
        resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 1Gi}}
";

#[test]
fn what_cannot_be_told_of_several_objects_alike_is_said_once() {
    let folder = Folder::new("alike");
    for name in ["a", "b", "c", "d", "e"] {
        folder.write(
            &format!("{name}.yaml"),
            DEPLOYMENT.replace("name: d", &format!("name: {name}")),
        );
    }
    let output = folder.sluice("check .");
    let said = text(&output);
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("SLU2003"))
        .collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(
        lines[0].starts_with("unknown: ")
            && lines[0].contains("(5 objects: ")
            && lines[0].ends_with("and 2 more)"),
        "{said}"
    );
}

#[test]
fn facts_make_certain_what_is_unknown_without_them() {
    let folder = Folder::new("facts");
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: shop}\nspec: {hard: {requests.cpu: \"5\"}}\n";
    folder.write("d.yaml", DEPLOYMENT);
    folder.write("tight.yaml", quota);
    folder.write(
        "roomy.yaml",
        format!(
            "{}status: {{hard: {{requests.cpu: \"500\"}}, used: {{requests.cpu: \"0\"}}}}\n",
            quota.replace('5', "500")
        ),
    );
    folder.write(
        "namespace.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
    );
    folder.write("broken.yaml", "a: [\n");
    for (arguments, code, words, absent) in [
        ("check d.yaml", 0, "unknown: SLU2003 quota-breach", "deny"),
        (
            "check d.yaml --fail-on unknown",
            1,
            "2 cannot be told",
            "deny",
        ),
        ("check d.yaml --fail-on warn", 0, "2 cannot be told", "deny"),
        (
            "check d.yaml --facts roomy.yaml",
            0,
            "1 object judged",
            "SLU2003",
        ),
        (
            "check d.yaml --facts namespace.yaml --fail-on unknown",
            0,
            "1 object judged",
            "SLU2003",
        ),
        (
            "check d.yaml --facts tight.yaml",
            1,
            "deny: SLU2003 quota-breach",
            "unknown:",
        ),
        (
            "check d.yaml --facts broken.yaml",
            2,
            "broken.yaml:1:4: not readable",
            "deny",
        ),
    ] {
        let output = folder.sluice(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
        assert!(
            said.contains(words),
            "{arguments}: {words:?} is not in\n{said}"
        );
        assert!(
            !said.contains(absent),
            "{arguments}: {absent:?} is in\n{said}"
        );
    }
}

#[test]
fn policies_of_the_user_replace_the_shipped_ones() {
    let folder = Folder::new("policies");
    folder.write("x.yaml", unbounded());
    let policy = |rule: &str, action: &str, more: &str| {
        format!(
            "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {{name: p{more}}}\nspec:\n  rules:\n  - use: {rule}\n    action: {action}\n"
        )
    };
    folder.write("warn.yaml", policy("cronjob-without-deadline", "Warn", ""));
    folder.write("other.yaml", policy("job-without-deadline", "Deny", ""));
    folder.write(
        "elsewhere.yaml",
        policy("cronjob-without-deadline", "Deny", ", namespace: other"),
    );
    folder.write("broken.yaml", policy("no-such-rule", "Deny", ""));
    folder.write("none.yaml", CONFIG_MAP);
    for (arguments, code, words) in [
        (
            "check x.yaml --policies warn.yaml",
            0,
            "x.yaml:4:1: warn: SLU1001",
        ),
        (
            "check x.yaml --policies warn.yaml --fail-on warn",
            1,
            "1 warn",
        ),
        ("check x.yaml --policies other.yaml", 0, "1 object judged"),
        (
            "check x.yaml --policies elsewhere.yaml",
            0,
            "1 object judged",
        ),
        (
            "check x.yaml --policies broken.yaml",
            2,
            "broken.yaml:6:5: spec.rules[0].use: unknown rule",
        ),
        (
            "check x.yaml --policies none.yaml",
            2,
            "none.yaml: no Policy of sluice.dev/v1alpha1 in it",
        ),
    ] {
        let output = folder.sluice(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
        assert!(
            said.contains(words),
            "{arguments}: {words:?} is not in\n{said}"
        );
    }
}

#[test]
fn the_verdict_for_programs_holds_the_refusal_to_the_byte() {
    let folder = Folder::new("json");
    folder.write("x.yaml", unbounded());
    let output = folder.sluice("check x.yaml -o json");
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    let object = &verdict["objects"][0];
    let digest = verdict["policySet"].as_str().unwrap();
    assert_eq!(
        object["refusal"],
        format!(
            "cronjob/reports in namespace shop: 1 finding (policy set {})\n  1. {}\n  `sluice explain CODE` tells why a rule exists and shows a manifest that passes.",
            &digest[..12],
            object["findings"][0]["text"].as_str().unwrap()
        )
    );
    assert_eq!(object["findings"][0]["line"], 4);
    assert_eq!(verdict["summary"]["refused"], 1);
    let yaml = text(&folder.sluice("check x.yaml -o yaml"));
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), verdict);
    let said = text(&folder.sluice("policy digest"));
    assert_eq!(said.trim(), digest);
}

#[test]
fn commands_that_need_a_cluster_say_so_and_exit_two() {
    let folder = Folder::new("cluster");
    folder.write("broken.kubeconfig", "not: [a kubeconfig");
    folder.write("nobody.kubeconfig", "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n");
    for arguments in [
        "gate list --kubeconfig missing.kubeconfig",
        "gate get a --kubeconfig broken.kubeconfig",
        "gate get a --kubeconfig nobody.kubeconfig",
        "release get deployment/a --kubeconfig nobody.kubeconfig",
        "release wait deployment/a --timeout 1s --kubeconfig nobody.kubeconfig",
        "release wait pod/a --kubeconfig nobody.kubeconfig",
        "audit --kubeconfig nobody.kubeconfig",
        "uninstall --yes --kubeconfig nobody.kubeconfig",
        "check --server broken.kubeconfig --kubeconfig nobody.kubeconfig",
    ] {
        let output = folder.sluice(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {said}");
        assert!(said.contains("error: "), "{arguments}: {said}");
        assert!(
            !said.contains("panicked") && !said.contains("stack backtrace"),
            "{arguments}: {said}"
        );
    }
}

#[test]
fn every_code_in_a_verdict_can_be_explained() {
    let folder = Folder::new("explain");
    for code in [
        "SLU1001",
        "slu1001",
        "cronjob-without-deadline",
        "SLU0001",
        "gate-not-open",
    ] {
        let output = folder.sluice(&format!("explain {code}"));
        assert_eq!(output.status.code(), Some(0), "{code}: {}", text(&output));
    }
    let output = folder.sluice("explain SLU9999");
    assert_eq!(output.status.code(), Some(2));
    let rules: Value = serde_json::from_slice(&folder.sluice("rules -o json").stdout).unwrap();
    for rule in rules.as_array().unwrap() {
        let output = folder.sluice(&format!("explain {}", rule["code"].as_str().unwrap()));
        assert_eq!(output.status.code(), Some(0), "{rule}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-sluice"))
        .arg("version")
        .output()
        .unwrap();
    assert!(text(&output).starts_with("sluice "), "{}", text(&output));
}

#[test]
fn what_nobody_can_tell_refuses_nothing_whatever_the_policy_says_of_it() {
    let folder = Folder::new("on-unknown");
    folder.write(
        "p.yaml",
        "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec: {onUnknown: Deny, rules: [{use: quota-breach}]}\n",
    );
    folder.write(
        "x.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}}\n",
    );
    for (more, code) in [("", 0), (" --fail-on unknown", 1)] {
        let output = folder.sluice(&format!("check x.yaml --policies p.yaml{more}"));
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{more}: {said}");
        assert!(said.contains("unknown: SLU2003 quota-breach"), "{said}");
        assert!(!said.contains("would be refused"), "{said}");
    }
    let json = folder.sluice("check x.yaml --policies p.yaml -o json");
    let verdict: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(verdict["summary"]["refused"], 0);
    assert_eq!(verdict["objects"][0]["refusal"], Value::Null);
}
