//! Parameters: objects among the files, or none.

use super::{create, deployment, lines, over_deployments, says, set};
use crate::{Facts, PolicySet};

pub(super) const LIMIT: &str = "  paramKind: {apiVersion: rules.example.com/v1, kind: ReplicaLimit}
  validations: [{expression: 'params == null || object.spec.replicas <= params.maxReplicas', messageExpression: \"'at most ' + string(params.maxReplicas)\"}]";

pub(super) fn limit(name: &str, namespace: &str, most: i64) -> String {
    format!(
        "---\napiVersion: rules.example.com/v1\nkind: ReplicaLimit\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{size: {name}}}}}\nmaxReplicas: {most}\n"
    )
}

#[test]
fn parameters_are_objects_among_the_files() {
    let here = limit("small", "shop", 3) + &limit("big", "shop", 9) + &limit("small", "other", 1);
    for (reference, objects, replicas, told) in [
        (
            "name: small, parameterNotFoundAction: Deny",
            here.as_str(),
            4,
            vec!["Deny VAP p at -: at most 3; "],
        ),
        (
            "name: small, parameterNotFoundAction: Deny",
            &here,
            3,
            vec![],
        ),
        ("name: big, parameterNotFoundAction: Deny", &here, 4, vec![]),
        (
            "name: small, namespace: other, parameterNotFoundAction: Deny",
            &here,
            2,
            vec!["Deny VAP p at -: at most 1; "],
        ),
        (
            "selector: {matchLabels: {size: small}}, parameterNotFoundAction: Deny",
            &here,
            4,
            vec!["Deny VAP p at -: at most 3; "],
        ),
        (
            "selector: {}, parameterNotFoundAction: Deny",
            &here,
            10,
            vec![
                "Deny VAP p at -: at most 3; ",
                "Deny VAP p at -: at most 9; ",
            ],
        ),
        (
            "name: none, parameterNotFoundAction: Allow",
            &here,
            4,
            vec![
                "Warn VAP p at -: cannot tell: ReplicaLimit none of namespace shop not known; needs: ReplicaLimit none of namespace shop among the policy files, from the cluster or a file of facts",
            ],
        ),
        (
            "selector: {matchLabels: {size: none}}, parameterNotFoundAction: Deny",
            "",
            4,
            vec![
                "Warn VAP p at -: cannot tell: ReplicaLimit objects that the binding selects of namespace shop not known",
            ],
        ),
    ] {
        let text = over_deployments(
            LIMIT,
            &format!("  validationActions: [Deny]\n  paramRef: {{{reference}}}"),
        ) + objects;
        let told_now = says(&set(&text), &deployment(replicas, "a"));
        assert_eq!(told_now.len(), told.len(), "{reference}: {told_now:?}");
        for (line, begins) in told_now.iter().zip(&told) {
            assert!(line.starts_with(begins), "{reference}: {line}");
        }
    }
    // a binding without a reference asks with null
    let set = set(&(over_deployments(LIMIT, "  validationActions: [Deny]") + &here));
    assert_eq!(says(&set, &deployment(99, "a")), [""; 0]);
}

#[test]
fn where_the_facts_show_that_there_is_no_parameter_the_binding_decides() {
    let policy = "  paramKind: {apiVersion: v1, kind: ConfigMap}\n  validations: [{expression: 'object.spec.replicas <= int(params.data.max)'}]";
    let of = |action: &str, failure: &str| {
        set(&over_deployments(
            &format!("{failure}{policy}"),
            &format!(
                "  validationActions: [Audit]\n  paramRef: {{name: limits, parameterNotFoundAction: {action}}}"
            ),
        ))
    };
    let mut facts = Facts::default();
    facts.names[crate::Named::ConfigMap.index()] = crate::facts::Names::whole(&[]);
    let judged = |set: &PolicySet| lines(&set.judge(&create(&deployment(1, "a")), &facts));
    assert_eq!(judged(&of("Allow", "")), [""; 0]);
    // whatever the actions of the binding are, as the API server does
    assert!(judged(&of("Deny", ""))[0].starts_with("Deny VAP p at -: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"));
    assert!(
        judged(&of("Deny", "  failurePolicy: Ignore\n"))[0]
            .starts_with("Audit VAP p at -: cannot tell: failed to configure binding")
    );
    // that nobody said what there is proves nothing
    let told = lines(&of("Deny", "").judge(&create(&deployment(1, "a")), &Facts::default()));
    assert!(
        told[0].contains("cannot tell: ConfigMap limits of namespace shop not known"),
        "{told:?}"
    );
}
