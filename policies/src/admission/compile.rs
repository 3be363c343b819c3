//! From documents to policies that judge.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use sluice_api::{Action, reading};
use sluice_cel::{Environment, Problem, Program, Type};
use sluice_tree::{Value, json};

use super::{
    Admission, Binding, Policy, Validation,
    resource::CustomKinds,
    spec::{BindingSpec, Document, GROUP, Named, ParamRef, PolicySpec, ValidationAction, Written},
};
use crate::{PolicyProblem, facts::Param, schema::KubernetesVersion, view::lookup};

/// What the API server knows of a namespace and of a request, and a file does not. An expression that asks for one of these has no answer.
const UNKNOWN: &[&str] = &[
    "namespaceObject.metadata.annotations",
    "namespaceObject.metadata.uid",
    "namespaceObject.metadata.resourceVersion",
    "namespaceObject.metadata.generation",
    "namespaceObject.metadata.creationTimestamp",
    "namespaceObject.metadata.deletionTimestamp",
    "namespaceObject.metadata.deletionGracePeriodSeconds",
    "namespaceObject.metadata.finalizers",
    "namespaceObject.metadata.generateName",
    "namespaceObject.spec",
    "namespaceObject.status",
    "request.options",
    "request.uid",
];

/// Every reason why a document would be refused by the API server, or could not work; none for documents of other kinds.
pub(crate) fn check(object: &Value) -> Vec<PolicyProblem> {
    match Document::of(object) {
        Document::Policy => policy(object).err(),
        Document::Binding => binding(object).err(),
        Document::Other => None,
    }
    .unwrap_or_default()
}

/// The policies among documents. One with a problem is left out whole and every problem of it is reported; the others work.
pub(crate) fn compile<'a>(
    documents: impl IntoIterator<Item = &'a Value>,
) -> (Admission, Vec<PolicyProblem>) {
    let mut documents: Vec<(Document, String, &Value)> = documents
        .into_iter()
        .map(|object| (Document::of(object), title(object), object))
        .collect();
    // the order in which files are read must not show in anything
    documents.sort_by(|(_, a, _), (_, b, _)| a.cmp(b));
    documents.dedup_by(|(_, a, x), (_, b, y)| a == b && x == y);
    let mut admission = Admission::default();
    let (mut problems, mut policies, mut bindings) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (document, title, object) in &documents {
        let mut told = |found: Vec<PolicyProblem>| {
            problems.extend(found.into_iter().map(|problem| PolicyProblem {
                policy: title.clone(),
                ..problem
            }));
        };
        match document {
            Document::Policy => match policy(object) {
                Ok((policy, _)) if policies.contains_key(&policy.name) => told(twice()),
                Ok((policy, spec)) => {
                    policies.insert(policy.name.clone(), (policy, spec));
                }
                Err(found) => told(found),
            },
            Document::Binding => match binding(object) {
                Ok(binding)
                    if bindings
                        .iter()
                        .any(|own: &Binding| own.name == binding.name) =>
                {
                    told(twice());
                }
                Ok(binding) => bindings.push(binding),
                Err(found) => told(found),
            },
            Document::Other => admission.custom.learn(object),
        }
    }
    let others = documents
        .iter()
        .filter(|(document, _, _)| *document == Document::Other);
    let others: Vec<&Value> = others.map(|(_, _, object)| *object).collect();
    for mut binding in bindings {
        let Some((policy, _)) = policies.get_mut(&binding.spec.policy_name) else {
            admission.notes.push(format!(
                "ValidatingAdmissionPolicyBinding {}: there is no policy {} among the files",
                binding.name, binding.spec.policy_name
            ));
            continue;
        };
        if let Some(kind) = &policy.param_kind {
            let is = |object: &Value, path, word: &str| {
                lookup(object, path).and_then(Value::as_str) == Some(word)
            };
            binding.params = others
                .iter()
                .filter(|object| {
                    is(object, "apiVersion", &kind.api_version) && is(object, "kind", &kind.kind)
                })
                .map(|object| param(object, &admission.custom, Some("default")))
                .collect();
        }
        policy.bindings.push(binding);
    }
    for (name, (policy, spec)) in policies {
        if policy.bindings.is_empty() {
            admission.notes.push(format!(
                "ValidatingAdmissionPolicy {name}: no binding among the files puts it in force"
            ));
            continue;
        }
        if !spec.audit_annotations.is_empty() {
            admission.notes.push(format!(
                "auditAnnotations of ValidatingAdmissionPolicy {name}: the API server alone has an audit log"
            ));
        }
        admission.asks_user |= policy.asks_user();
        admission.meanings.push(meaning(&policy, &spec));
        admission.policies.push(policy);
    }
    if !admission.policies.is_empty() && !admission.custom.is_empty() {
        admission.meanings.push(admission.custom.meaning());
    }
    (admission, problems)
}

/// What people call a document.
fn title(object: &Value) -> String {
    let text = |path: &str| {
        lookup(object, path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let name: String = text("metadata.name").chars().take(253).collect();
    match text("metadata.namespace") {
        "" => format!("{}/{name}", text("kind")),
        namespace => format!("{}/{namespace}/{name}", text("kind")),
    }
}

/// The object as a parameter. `elsewhere` is where kubectl puts one that names no namespace; without it that lies in none.
pub(super) fn param(object: &Value, custom: &CustomKinds, elsewhere: Option<&str>) -> Param {
    let text = |path: &str| {
        lookup(object, path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let namespaced = custom.is_namespaced(text("apiVersion"), text("kind"));
    let namespace = match text("metadata.namespace") {
        "" => elsewhere,
        namespace => Some(namespace),
    };
    Param {
        namespace: namespace.filter(|_| namespaced).map(str::to_owned),
        name: text("metadata.name").to_owned(),
        object: object.clone(),
    }
}

fn meaning(policy: &Policy, spec: &PolicySpec) -> String {
    let bindings: Vec<Value> = policy
        .bindings
        .iter()
        .map(|binding| {
            let params: Vec<&Value> = binding.params.iter().map(|param| &param.object).collect();
            json!({"name": binding.name, "spec": binding.spec, "params": params})
        })
        .collect();
    json!({"admission": policy.name, "spec": spec, "bindings": bindings}).to_string()
}

fn twice() -> Vec<PolicyProblem> {
    vec![problem(
        "metadata.name",
        "there a second time",
        "each name once in the folder",
    )]
}

fn problem(path: &str, found: impl Into<String>, passes: impl Into<String>) -> PolicyProblem {
    PolicyProblem {
        policy: String::new(),
        path: path.to_owned(),
        found: found.into(),
        passes: passes.into(),
        excerpt: None,
    }
}

/// The head of a document and its spec, when both can be read.
fn read<S: DeserializeOwned>(object: &Value) -> Result<(String, S), Vec<PolicyProblem>> {
    let version = lookup(object, "apiVersion")
        .and_then(Value::as_str)
        .unwrap_or_default();
    // they differ in nothing
    if ![format!("{GROUP}/v1"), format!("{GROUP}/v1beta1")].contains(&version.to_owned()) {
        return Err(vec![problem("apiVersion", version, format!("{GROUP}/v1"))]);
    }
    let written: Written<S> =
        reading::read(serde_json::Value::from(object)).map_err(|unreadable| {
            vec![problem(
                &unreadable.path,
                unreadable.found,
                "what `kubectl explain` says of the field",
            )]
        })?;
    let name = written.metadata.name;
    if name.is_empty() {
        return Err(vec![problem("metadata.name", "absent", "a name")]);
    }
    Ok((name, written.spec))
}

fn binding(object: &Value) -> Result<Binding, Vec<PolicyProblem>> {
    let (name, spec) = read::<BindingSpec>(object)?;
    let mut problems = Vec::new();
    let actions = &spec.validation_actions;
    let says = |action| actions.contains(&action);
    if actions.is_empty() {
        problems.push(problem(
            "spec.validationActions",
            "nothing",
            "at least one of Deny, Warn, Audit",
        ));
    }
    if says(ValidationAction::Deny) && says(ValidationAction::Warn) {
        problems.push(problem(
            "spec.validationActions",
            "Deny and Warn",
            "one of them: the client would be told twice",
        ));
    }
    if let Some(reference) = &spec.param_ref {
        problems.extend(of_reference(reference));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let action = match actions.iter().max() {
        Some(ValidationAction::Deny) => Action::Deny,
        Some(ValidationAction::Warn) => Action::Warn,
        _ => Action::Audit,
    };
    Ok(Binding {
        name,
        spec,
        action,
        params: Vec::new(),
    })
}

fn of_reference(reference: &ParamRef) -> Vec<PolicyProblem> {
    let mut problems = Vec::new();
    let named = reference.name.as_ref().is_some_and(|name| !name.is_empty());
    if named == reference.selector.is_some() {
        let found = if named {
            "name and selector"
        } else {
            "neither name nor selector"
        };
        problems.push(problem("spec.paramRef", found, "either name or selector"));
    }
    if reference.parameter_not_found_action.is_none() {
        problems.push(problem(
            "spec.paramRef.parameterNotFoundAction",
            "absent",
            "Allow or Deny",
        ));
    }
    problems
}

/// The expressions of one policy on their way.
struct Checking {
    environment: Environment,
    problems: Vec<PolicyProblem>,
}

impl Checking {
    fn take<T>(&mut self, path: String, checked: Result<T, Problem>) -> Option<T> {
        checked
            .map_err(|found| {
                self.problems.push(PolicyProblem {
                    excerpt: Some(found.excerpt().to_owned()),
                    ..problem(
                        &path,
                        format!(
                            "line {}, column {}: {}",
                            found.line, found.column, found.message
                        ),
                        found
                            .suggestion
                            .clone()
                            .unwrap_or_else(|| "an expression in CEL".to_owned()),
                    )
                });
            })
            .ok()
    }

    fn text(&mut self, path: String, text: &str, of: &Type) -> Option<Program> {
        let checked = Program::compile_to(text, &self.environment, of);
        self.take(path, checked)
    }

    /// Names that may not stand twice.
    fn names(&mut self, list: &str, named: &[Named]) {
        for (place, one) in named.iter().enumerate() {
            if named[..place].iter().any(|before| before.name == one.name) {
                self.problems.push(problem(
                    &format!("spec.{list}[{place}].name"),
                    format!("{} a second time", short(&one.name)),
                    "each name once",
                ));
            }
        }
    }
}

fn policy(object: &Value) -> Result<(Policy, PolicySpec), Vec<PolicyProblem>> {
    let (name, spec) = read::<PolicySpec>(object)?;
    let mut checking = Checking {
        environment: environment(spec.param_kind.is_some()),
        problems: Vec::new(),
    };
    let constraints = spec.match_constraints.clone().unwrap_or_default();
    if constraints.resource_rules.is_empty() {
        checking.problems.push(problem(
            "spec.matchConstraints.resourceRules",
            "no rule",
            "at least one, which says what is judged",
        ));
    }
    if spec.validations.is_empty() && spec.audit_annotations.is_empty() {
        checking
            .problems
            .push(problem("spec.validations", "none", "at least one"));
    }
    checking.names("matchConditions", &spec.match_conditions);
    checking.names("variables", &spec.variables);
    let mut conditions = Vec::new();
    for (place, condition) in spec.match_conditions.iter().enumerate() {
        let path = format!("spec.matchConditions[{place}].expression");
        conditions.extend(checking.text(path, &condition.expression, &Type::Bool));
    }
    let mut variables: Vec<(String, Program)> = Vec::new();
    for (place, variable) in spec.variables.iter().enumerate() {
        let checked = Program::compile(&variable.expression, &checking.environment);
        let path = format!("spec.variables[{place}].expression");
        let full = format!("variables.{}", variable.name);
        let of = match checking.take(path, checked) {
            Some(program) => {
                let of = program.result().clone();
                variables.push((full.clone(), program));
                of
            }
            // what reads it should not be told that it does not exist
            None => Type::Dyn,
        };
        checking.environment.declare(full, of);
    }
    let mut validations = Vec::new();
    for (place, validation) in spec.validations.iter().enumerate() {
        let path = |field: &str| format!("spec.validations[{place}].{field}");
        let program = checking.text(path("expression"), &validation.expression, &Type::Bool);
        if validation
            .message
            .as_ref()
            .is_some_and(|text| text.trim().contains('\n'))
        {
            checking
                .problems
                .push(problem(&path("message"), "several lines", "one line"));
        }
        let expression = validation
            .message_expression
            .as_ref()
            .and_then(|text| checking.text(path("messageExpression"), text, &Type::String));
        validations.extend(program.map(|program| Validation {
            program,
            message: validation.message.clone(),
            expression,
        }));
    }
    for (place, annotation) in spec.audit_annotations.iter().enumerate() {
        let path = format!("spec.auditAnnotations[{place}].valueExpression");
        let checked = Program::compile(&annotation.value_expression, &checking.environment);
        checking.take(path, checked);
    }
    if !checking.problems.is_empty() {
        return Err(checking.problems);
    }
    let policy = Policy {
        name,
        constraints,
        failure: spec.failure_policy,
        param_kind: spec.param_kind.clone(),
        environment: checking.environment,
        conditions,
        variables,
        validations,
        bindings: Vec::new(),
    };
    Ok((policy, spec))
}

impl Policy {
    fn asks_user(&self) -> bool {
        let programs = self
            .conditions
            .iter()
            .chain(self.variables.iter().map(|(_, program)| program))
            .chain(self.validations.iter().map(|one| &one.program))
            .chain(
                self.validations
                    .iter()
                    .filter_map(|one| one.expression.as_ref()),
            );
        programs
            .flat_map(Program::uses)
            .any(|name| name == "request.userInfo")
    }
}

/// What the expressions of a policy may name, by the newest version of Kubernetes that is known.
fn environment(params: bool) -> Environment {
    let mut environment = Environment::new()
        .portable_to(u32::from(KubernetesVersion::newest().minor()))
        .variable("object", Type::Dyn)
        .variable("oldObject", Type::Dyn)
        .variable("request", Type::Dyn)
        .variable("request.userInfo", Type::Dyn)
        .variable("namespaceObject", Type::Dyn)
        .variable("namespaceObject.metadata", Type::Dyn)
        .variable("authorizer", Type::Authorizer)
        .variable("authorizer.requestResource", Type::ResourceCheck)
        .fields(
            "request",
            &[
                "kind",
                "resource",
                "subResource",
                "requestKind",
                "requestResource",
                "requestSubResource",
                "name",
                "namespace",
                "operation",
                "userInfo",
                "dryRun",
                "options",
                "uid",
            ],
        )
        .fields("request.userInfo", &["username", "uid", "groups", "extra"])
        .fields("namespaceObject", &["metadata", "spec", "status"]);
    let mut known = vec!["name", "labels"];
    known.extend(
        UNKNOWN
            .iter()
            .filter_map(|name| name.strip_prefix("namespaceObject.metadata.")),
    );
    environment = environment.fields("namespaceObject.metadata", &known);
    for kind in ["request.kind", "request.requestKind"] {
        environment = environment.fields(kind, &["group", "version", "kind"]);
    }
    for resource in ["request.resource", "request.requestResource"] {
        environment = environment.fields(resource, &["group", "version", "resource"]);
    }
    for name in UNKNOWN {
        environment.declare(*name, Type::Dyn);
    }
    if params {
        environment.declare("params", Type::Dyn);
    }
    environment
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
