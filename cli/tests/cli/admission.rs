//! `ValidatingAdmissionPolicy` and its binding among the policy files: every command that takes policies evaluates them.

use serde_json::Value;

use crate::folder::{Folder, text};

const POLICY: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: replicas}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  validations:
  - expression: object.spec.replicas <= int(params.data.max)
    messageExpression: \"'at most ' + params.data.max\"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: everywhere}
spec:
  policyName: replicas
  validationActions: [Deny]
  paramRef: {name: limits, namespace: rules, parameterNotFoundAction: Deny}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: rules}
data: {max: '5'}
";

const LINE: &str = "VAP replicas at -: at most 5; passes: object.spec.replicas <= int(params.data.max) (ValidatingAdmissionPolicy replicas, binding everywhere, parameters limits, spec.validations[0])";

fn deployment(replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{a: b}}}}\n  template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: a, image: a}}]}}}}\n"
    )
}

#[test]
fn check_evaluates_the_policies_of_the_api_server() {
    let folder = Folder::new("admission");
    folder.write("policies/replicas.yaml", POLICY);
    for (replicas, code) in [(5, 0), (6, 1)] {
        folder.write("x.yaml", deployment(replicas));
        let output = folder.sluice("check x.yaml --policies policies");
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert_eq!(
            said.contains(&format!("x.yaml:1:1: deny: {LINE}\n")),
            code == 1,
            "{said}"
        );
    }
    let sarif: Value = serde_json::from_slice(
        &folder
            .sluice("check x.yaml --policies policies -o sarif")
            .stdout,
    )
    .unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "VAP");
    // a Release is one of Sluice's own objects, and the guards that Sluice ships are about it
    folder.write(
        "r.yaml",
        "apiVersion: sluice.dev/v1alpha1\nkind: Gate\nmetadata: {name: g, namespace: shop}\nspec: {components: {}}\n",
    );
    folder.write(
        "policies/replicas.yaml",
        POLICY
            .replace("[apps]", "[sluice.dev]")
            .replace("[v1], op", "['*'], op")
            .replace("[deployments]", "[gates]")
            .replace("object.spec.replicas", "size(object.metadata.name) + 5"),
    );
    let said = text(&folder.sluice("check r.yaml --policies policies"));
    assert!(
        said.contains("r.yaml:1:1: deny: VAP replicas at -: at most 5"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_with_them_is_told_with_its_place() {
    let folder = Folder::new("admission-wrong");
    folder.write("x.yaml", deployment(5));
    for (from, to, said, code) in [
        (
            "object.spec.replicas <= int(params.data.max)",
            "object.spec.replicas =< int(params.data.max)",
            "p.yaml:10:38: policy: spec.validations[0].expression: line 1, column 22: unexpected",
            2,
        ),
        (
            "expression: object.spec.replicas <= int(params.data.max)",
            "expression: |\n      object.spec.replicas <= 5 ||\n      objct.spec.replicas <= 9",
            "p.yaml:12:7: policy: spec.validations[0].expression: line 2, column 1: unknown variable objct; passes: did you mean object?\n    objct.spec.replicas <= 9\n    ^\n",
            2,
        ),
        (
            "validationActions: [Deny]",
            "validationActions: []",
            "p.yaml:18:3: policy: spec.validationActions: nothing; passes: at least one of Deny, Warn, Audit",
            2,
        ),
        (
            "policyName: replicas",
            "policyName: other",
            "without effect: ValidatingAdmissionPolicyBinding everywhere: there is no policy other among the files\n",
            0,
        ),
        (
            "  validations:",
            "  auditAnnotations: [{key: a, valueExpression: \"'b'\"}]\n  validations:",
            "without effect: auditAnnotations of ValidatingAdmissionPolicy replicas: the API server alone has an audit log\n",
            0,
        ),
        (
            "name: limits, namespace: rules}\ndata",
            "name: other, namespace: rules}\ndata",
            "unknown: VAP replicas at -: cannot tell: ConfigMap limits of namespace rules not known; needs: ConfigMap limits of namespace rules among the policy files, from the cluster or a file of facts (ValidatingAdmissionPolicy replicas, binding everywhere)\n",
            0,
        ),
    ] {
        assert!(POLICY.contains(from), "{from}");
        folder.write("p.yaml", POLICY.replace(from, to));
        let output = folder.sluice("check x.yaml --policies p.yaml");
        let told = text(&output);
        assert_eq!(output.status.code(), Some(code), "{told}");
        let said = said.replace("policy: ", "");
        assert!(told.contains(&said), "{said}\n{told}");
    }
}

#[test]
fn what_is_wrong_in_an_own_rule_is_told_at_its_spot_too() {
    let folder = Folder::new("own-rule-spot");
    folder.write("x.yaml", deployment(5));
    folder.write(
        "p.yaml",
        "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n  - name: small\n    kinds: [Deployment]\n    cel: object.spec.replica <= 5\n",
    );
    let output = folder.sluice("check x.yaml --policies p.yaml");
    let told = text(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains(
            "p.yaml:8:21: spec.rules[0].cel: line 1, column 12: object.spec has no field replica"
        ),
        "{told}"
    );
}

#[test]
fn parameters_come_from_facts_and_from_what_is_checked_together() {
    let (policies, limits) = POLICY.rsplit_once("---\n").unwrap();
    let folder = Folder::new("admission-parameters");
    folder.write("policies/replicas.yaml", policies);
    folder.write("x.yaml", deployment(6));
    folder.write("limits.yaml", limits);
    folder.write("other.yaml", limits.replace("name: limits", "name: other"));
    folder.write(
        "elsewhere.yaml",
        limits.replace("namespace: rules", "namespace: shop"),
    );
    for (more, said, code) in [
        (
            "",
            "unknown: VAP replicas at -: cannot tell: ConfigMap limits of namespace rules not known",
            0,
        ),
        ("--facts limits.yaml", LINE, 1),
        ("limits.yaml", LINE, 1),
        // the facts show the ConfigMaps of the namespace, and it is not among them
        (
            "--facts other.yaml",
            "deny: VAP replicas at -: failed to configure binding: no params found",
            1,
        ),
        (
            "--facts elsewhere.yaml",
            "cannot tell: ConfigMap limits of namespace rules not known",
            0,
        ),
        // what is checked together says nothing about what else is there
        (
            "other.yaml",
            "cannot tell: ConfigMap limits of namespace rules not known",
            0,
        ),
    ] {
        let output = folder.sluice(&format!("check x.yaml {more} --policies policies"));
        let told = text(&output);
        assert_eq!(output.status.code(), Some(code), "{more}: {told}");
        assert!(told.contains(said), "{more}: {told}");
    }
    // among the policy files they go before
    folder.write("policies/limits.yaml", limits.replace("'5'", "'6'"));
    let output = folder.sluice("check x.yaml --facts limits.yaml --policies policies");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn policy_test_diff_and_digest_know_them() {
    let folder = Folder::new("admission-commands");
    folder.write("now/replicas.yaml", POLICY);
    folder.write("then/replicas.yaml", POLICY.replace("'5'", "'3'"));
    folder.write("x.yaml", deployment(4));
    folder.write(
        "now/test.yaml",
        format!(
            "apiVersion: sluice.dev/v1alpha1\nkind: PolicyTest\nmetadata: {{name: t}}\ncases:\n- name: six are too many\n  manifest:\n    {}\n  expect:\n  - {{deny: replicas, found: at most 5}}\n",
            deployment(6).trim_end().replace('\n', "\n    ")
        ),
    );
    let output = folder.sluice("policy test now");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let output = folder.sluice("policy diff now then -f x.yaml");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("+ deny: VAP replicas at -: at most 3"),
        "{said}"
    );
    let digest = |what: &str| text(&folder.sluice(&format!("policy digest {what}")));
    assert_ne!(digest("now"), digest("then"));
    assert_eq!(digest("now").trim().len(), 64);
    let said = text(&folder.sluice("explain VAP"));
    assert!(
        said.starts_with("# VAP: a ValidatingAdmissionPolicy\n"),
        "{said}"
    );
}
