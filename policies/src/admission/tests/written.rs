//! How a policy is written: what has no effect, what cannot work, and what the digest makes of it.

use super::{
    AT_MOST_5, denies, documents, over_deployments,
    parameters::{LIMIT, limit},
    problems, set,
};
use crate::PolicySet;

#[test]
fn what_has_no_effect_is_told() {
    let whole = over_deployments(
        &format!(
            "{AT_MOST_5}\n  auditAnnotations: [{{key: replicas, valueExpression: string(object.spec.replicas)}}]"
        ),
        "  validationActions: [Deny]",
    );
    let (policy, binding) = whole.split_once("\n---\n").unwrap();
    for (text, notes, policies) in [
        (
            whole.as_str(),
            vec![
                "auditAnnotations of ValidatingAdmissionPolicy p: the API server alone has an audit log",
            ],
            1,
        ),
        (
            policy,
            vec!["ValidatingAdmissionPolicy p: no binding among the files puts it in force"],
            0,
        ),
        (
            binding,
            vec!["ValidatingAdmissionPolicyBinding b: there is no policy p among the files"],
            0,
        ),
    ] {
        let set = set(text);
        assert_eq!(set.notes(), notes);
        assert_eq!(set.policies(), policies);
    }
}

#[test]
fn the_digest_says_what_they_mean_and_not_how_they_are_written() {
    let digest = |text: &str| set(text).digest().to_owned();
    let with = |spec: &str, reference: &str, objects: &str| {
        digest(
            &(over_deployments(
                spec,
                &format!(
                    "  validationActions: [Deny]\n  paramRef: {{{reference}, parameterNotFoundAction: Deny}}"
                ),
            ) + objects),
        )
    };
    let small = limit("small", "shop", 3);
    let one = with(LIMIT, "name: small", &small);
    assert_eq!(
        one,
        with(
            &format!("  failurePolicy: Fail\n{LIMIT}"),
            "name: small",
            &small
        )
    );
    let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    assert_eq!(one, with(LIMIT, "name: small", &(small.clone() + other)));
    for different in [
        with(
            &format!("  failurePolicy: Ignore\n{LIMIT}"),
            "name: small",
            &small,
        ),
        with(LIMIT, "name: big", &small),
        with(LIMIT, "name: small", &limit("small", "shop", 4)),
        PolicySet::default().digest().to_owned(),
    ] {
        assert_ne!(one, different);
    }
    // documents in another order
    let mut turned = documents(&over_deployments(AT_MOST_5, "  validationActions: [Deny]"));
    turned.reverse();
    let (set, _) = PolicySet::compile_with([], &turned);
    assert_eq!(set.digest(), denies(AT_MOST_5).digest());
}

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    let rules = "matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]}";
    let policy = |spec: &str| {
        format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec: {{{spec}}}"
        )
    };
    let binding = |spec: &str| {
        format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: b}}\nspec: {{{spec}}}"
        )
    };
    for (document, told) in [
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'object.spec.replicas <='}}]"
            )),
            "spec.validations[0].expression: line 1, column 24: the text ends where something is still to come",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: object.spec.replicas}}]"
            )),
            "",
        ),
        (
            policy(&format!("{rules}, validations: [{{expression: \"'a'\"}}]")),
            "spec.validations[0].expression: line 1, column 1: the answer is string; passes: an expression whose answer is bool",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: variables.limit > 1}}]"
            )),
            "spec.validations[0].expression: line 1, column 1: unknown variable variables",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: params.a == 1}}]"
            )),
            "spec.validations[0].expression: line 1, column 1: unknown variable params",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: request.operatoin == 'CREATE'}}]"
            )),
            "spec.validations[0].expression: line 1, column 8: request has no field operatoin; passes: did you mean request.operation?",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'authorizer.check(\"a\").allowed()'}}]"
            )),
            "spec.validations[0].expression: line 1, column 17: no overload for authorizer.check(string)",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'cel.bind(x, 1, x == 1)'}}]"
            )),
            "spec.validations[0].expression: line 1, column 9: no version of Kubernetes has cel.bind",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'true', messageExpression: '1'}}]"
            )),
            "spec.validations[0].messageExpression: line 1, column 1: the answer is int",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'true', message: \"a\\nb\"}}]"
            )),
            "spec.validations[0].message: several lines; passes: one line",
        ),
        (
            policy(&format!("{rules}, validations: [{{expresion: 'true'}}]")),
            "spec.validations[0].expresion: unknown field `expresion`",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'true', reason: Because}}]"
            )),
            "spec.validations[0].reason: unknown variant `Because`",
        ),
        (
            policy(&format!(
                "{rules}, failurePolicy: Maybe, validations: [{{expression: 'true'}}]"
            )),
            "spec.failurePolicy: unknown variant `Maybe`",
        ),
        (
            policy(rules),
            "spec.validations: none; passes: at least one",
        ),
        (
            policy("validations: [{expression: 'true'}]"),
            "spec.matchConstraints.resourceRules: no rule",
        ),
        (
            policy(&format!(
                "{rules}, matchConditions: [{{name: a, expression: 'true'}}, {{name: a, expression: 'true'}}], validations: [{{expression: 'true'}}]"
            )),
            "spec.matchConditions[1].name: a a second time",
        ),
        (
            policy(&format!("{rules}, validations: [{{expression: 'true'}}]"))
                .replace("/v1\n", "/v1alpha1\n"),
            "apiVersion: admissionregistration.k8s.io/v1alpha1; passes: admissionregistration.k8s.io/v1",
        ),
        (
            policy(&format!("{rules}, validations: [{{expression: 'true'}}]"))
                .replace("{name: p}", "{}"),
            "metadata.name: absent",
        ),
        (
            policy(&format!(
                "{rules}, auditAnnotations: [{{key: a, valueExpression: nothing}}]"
            )),
            "spec.auditAnnotations[0].valueExpression: line 1, column 1: unknown variable nothing",
        ),
        (
            binding("policyName: p"),
            "spec.validationActions: nothing; passes: at least one of Deny, Warn, Audit",
        ),
        (
            binding("policyName: p, validationActions: [Deny, Warn]"),
            "spec.validationActions: Deny and Warn",
        ),
        (
            binding("policyName: p, validationActions: [Refuse]"),
            "spec.validationActions[0]: unknown variant `Refuse`",
        ),
        (
            binding("validationActions: [Deny]"),
            "missing field `policyName`",
        ),
        (
            binding("policyName: p, validationActions: [Deny], paramRef: {name: a}"),
            "spec.paramRef.parameterNotFoundAction: absent; passes: Allow or Deny",
        ),
        (
            binding(
                "policyName: p, validationActions: [Deny], paramRef: {parameterNotFoundAction: Deny}",
            ),
            "spec.paramRef: neither name nor selector",
        ),
        (
            binding(
                "policyName: p, validationActions: [Deny], paramRef: {name: a, selector: {}, parameterNotFoundAction: Deny}",
            ),
            "spec.paramRef: name and selector",
        ),
    ] {
        let found = problems(&document);
        match told {
            "" => assert_eq!(found, [""; 0], "{document}"),
            told => assert!(
                found.len() == 1 && found[0].contains(told),
                "{told}\n{found:?}"
            ),
        }
        // what is refused judges nothing
        let whole = documents(&document);
        let (set, left_out) = PolicySet::compile_with([], &whole);
        assert_eq!((set.policies(), left_out.is_empty()), (0, told.is_empty()));
    }
    let twice = over_deployments(AT_MOST_5, "  validationActions: [Deny]");
    let mut both = documents(&twice);
    both.extend(documents(&twice.replace("<= 5", "<= 6")));
    let (_, problems) = PolicySet::compile_with([], &both);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "policy ValidatingAdmissionPolicy/p: metadata.name: there a second time; passes: each name once in the folder"
        ]
    );
}
