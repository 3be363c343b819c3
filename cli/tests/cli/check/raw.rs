//! What only a file shows: fields in the wrong place, and our own kinds that cannot work.

use super::BOUNDED;
use crate::folder::{Folder, text};

/// The manifest of the incident: what should have bounded the runs stands where the API server drops it.
const STAMPEDE: &str = "apiVersion: batch/v1
kind: CronJob
metadata:
  name: foobar
spec:
  schedule: '*/15 9-19 * * Mon-Fri'
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          concurrencyPolicy: Forbid
          successfulJobsHistoryLimit: 1
          failedJobsHistoryLimit: 1
          containers:
          - name: job
            image: registry.test/job@sha256:0
            resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
";

const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: caches.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Cache, plural: caches}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {x-kubernetes-int-or-string: true}}}}}}
";

#[test]
fn what_only_a_file_shows_is_told_with_its_place_and_fails() {
    let folder = Folder::new("raw");
    let service = |spec: &str| {
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\nspec:\n  {spec}\n")
    };
    let cache = "apiVersion: example.com/v1\nkind: Cache\nmetadata: {name: a}\nspec: {sise: 5}\n";
    folder.write("definition.yaml", DEFINITION);
    for (what, manifest, arguments, code, words) in [
        (
            "the stampede",
            STAMPEDE.to_owned(),
            "",
            1,
            vec![
                "x.yaml:12:11: deny: SLU8001 misplaced-field at spec.jobTemplate.spec.template.spec.concurrencyPolicy: nothing reads it there; passes: it belongs at spec.concurrencyPolicy",
                "x.yaml:13:11: deny: SLU8001 misplaced-field at spec.jobTemplate.spec.template.spec.successfulJobsHistoryLimit",
                "x.yaml:14:11: deny: SLU8001 misplaced-field at spec.jobTemplate.spec.template.spec.failedJobsHistoryLimit",
                // and as the cluster sees it: absent
                "deny: SLU1002 cronjob-allows-overlap at spec.concurrencyPolicy: Allow (API default)",
            ],
        ),
        (
            "a kind that is judged beside workloads",
            service("selectors: {a: b}"),
            "",
            1,
            vec![
                "x.yaml:5:3: deny: SLU8002 unknown-field at spec.selectors: no field of ServiceSpec; passes: did you mean selector?",
                "1 object judged",
                "1 object judged, 1 finding denies",
            ],
        ),
        (
            "right fields",
            service("selector: {a: b}"),
            "",
            0,
            vec!["1 object judged, 1 cannot be told"],
        ),
        (
            "a key twice",
            service("type: ClusterIP\n  selector: {a: b}\n  type: NodePort"),
            "",
            1,
            vec![
                "x.yaml:7:3: deny: SLU8004 duplicate-key at spec.type: twice, at lines 5 and 7, and only the last counts; passes: each key once",
            ],
        ),
        (
            "a type and a quantity",
            STAMPEDE
                .replace("cpu: 100m", "cpu: 100 m")
                .replace("name: foobar", "name: foobar\n  labels: {a: 1}"),
            "",
            1,
            vec![
                "deny: SLU8003 wrong-type at metadata.labels.a: the number 1; passes: a string, in quotes",
                "deny: SLU8005 unreadable-value at spec.jobTemplate.spec.template.spec.containers[0].resources.requests.cpu: no quantity: the string \"100 m\"",
            ],
        ),
        (
            "a custom kind without its definition",
            cache.to_owned(),
            "",
            0,
            vec![
                "passed over: no rule knows Cache of example.com/v1, nor Kubernetes 1.37 or a definition among the files its fields (1)",
            ],
        ),
        (
            "a custom kind with its definition",
            cache.to_owned(),
            "definition.yaml",
            1,
            vec![
                "x.yaml:4:8: deny: SLU8002 unknown-field at spec.sise: no field there; passes: did you mean size?",
            ],
        ),
        (
            "a definition given as a fact",
            cache.to_owned(),
            "--facts definition.yaml",
            1,
            vec!["SLU8002 unknown-field at spec.sise"],
        ),
        (
            "an older Kubernetes",
            service("selector: {a: b}"),
            "--kubernetes-version 1.33",
            0,
            vec!["cannot tell: whether any pod in namespace default is selected"],
        ),
        (
            "a Kubernetes that is not shipped",
            service("selector: {a: b}"),
            "--kubernetes-version 1.12",
            2,
            vec![
                "the kinds of Kubernetes 1.12 are not shipped; passes: 1.33, 1.34, 1.35, 1.36, 1.37",
            ],
        ),
        (
            "a policy with a key twice",
            BOUNDED.to_owned(),
            "--policies twice.yaml",
            2,
            vec!["twice.yaml:6:3: spec.rules occurs twice, first at line 5"],
        ),
    ] {
        folder.write("twice.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: a}\nspec:\n  rules: [{use: job-without-deadline}]\n  rules: [{use: quota-breach}]\n");
        folder.write("x.yaml", &manifest);
        let output = folder.sluice(&format!("check x.yaml {arguments}"));
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        for word in words {
            assert!(said.contains(word), "{what}: {word:?} is not in\n{said}");
        }
    }
    let explained = text(&folder.sluice("explain slu8001"));
    assert!(explained.starts_with("# misplaced-field\n"), "{explained}");
    let listed = text(&folder.sluice("rules"));
    assert!(
        listed.contains("SLU8005") && listed.contains("unreadable-value"),
        "{listed}"
    );
}

#[test]
fn our_own_kinds_are_refused_with_their_place() {
    let folder = Folder::new("own");
    let own = |kind: &str, spec: &str| {
        format!(
            "apiVersion: sluice.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: a, namespace: shop}}\nspec:\n{spec}"
        )
    };
    for (what, manifest, code, words) in [
        (
            "good probe",
            own(
                "Probe",
                "  http: {target: {url: \"http://checkout.shop.svc/ready\"}}\n",
            ),
            0,
            "1 object judged",
        ),
        (
            "no check",
            own("Probe", "  interval: 5s\n"),
            1,
            "x.yaml:4:1: deny: spec: Invalid value: set exactly one check: http or prometheus",
        ),
        (
            "no host",
            own("Probe", "  http:\n    target:\n      url: \"http://\"\n"),
            1,
            "x.yaml:7:7: deny: spec.http.target.url:",
        ),
        (
            "not allowed",
            own(
                "Probe",
                "  http: {target: {url: \"http://example.com/\"}}\n",
            ),
            1,
            "deny: spec.http.target.url:",
        ),
        (
            "slow",
            own(
                "Probe",
                "  http: {target: {url: \"http://a.b.svc/\"}}\n  timeout: 30s\n",
            ),
            1,
            "x.yaml:6:3: deny: spec.timeout: 30s; passes: at most the interval, 5s",
        ),
        (
            "unparsable duration",
            own(
                "Probe",
                "  http: {target: {url: \"http://a.b.svc/\"}}\n  interval: 5 parsecs\n",
            ),
            1,
            "x.yaml:6:3: deny: spec.interval: Invalid value: \"5 parsecs\"",
        ),
        (
            "bad condition",
            own(
                "Probe",
                "  prometheus: {query: up, condition: \"about 3\"}\n",
            ),
            1,
            "deny: spec.prometheus.condition:",
        ),
        (
            "unknown field",
            own("Gate", "  components: {}\n  whenShut: Deny\n"),
            1,
            "x.yaml:6:3: deny: unknown field \"spec.whenShut\"",
        ),
        (
            "batches that go down",
            own(
                "RolloutPlan",
                "  components: {}\n  batches: [\"50%\", \"10%\"]\n",
            ),
            1,
            "x.yaml:6:20: deny: spec.batches[1]:",
        ),
        (
            "no batch size",
            own("RolloutPlan", "  components: {}\n  batches: [1, \"0%\"]\n"),
            1,
            "x.yaml:6:16: deny: spec.batches[1]: `0%` is not a batch size",
        ),
        (
            "unknown rule",
            own("Policy", "  rules:\n  - use: cronjob-with-deadline\n"),
            1,
            "x.yaml:6:5: deny: spec.rules[0].use: unknown rule \"cronjob-with-deadline\"; passes: the name of a rule; did you mean cronjob-without-deadline?",
        ),
        (
            "unknown parameter",
            own(
                "Policy",
                "  rules:\n  - use: job-without-deadline\n    parameters: {maxDeadline: 1h}\n",
            ),
            1,
            "deny: spec.rules[0].parameters.maxDeadline: unknown parameter of job-without-deadline",
        ),
        (
            "unknown version",
            own("Gate", "  components: {}\n").replace("v1alpha1", "v1"),
            1,
            "x.yaml:1:1: deny: apiVersion: sluice.dev/v1; passes: sluice.dev/v1alpha1",
        ),
        (
            "unknown kind",
            own("Gait", "  components: {}\n"),
            1,
            "x.yaml:2:1: deny: kind: Gait; passes: Probe, Gate, RolloutPlan, Release, Policy",
        ),
    ] {
        folder.write("x.yaml", manifest);
        let output = folder.sluice("check x.yaml");
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        assert!(said.contains(words), "{what}: {words:?} is not in\n{said}");
    }
}
