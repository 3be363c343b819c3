//! From a rule of a Policy object to a checked one.

use std::collections::BTreeSet;

use sluice_api::{PolicyRule, PolicySpec, policy::Each};
use sluice_cel::{ASSUMED, Budget, Environment, Problem, Program, Template, Type};
use sluice_tree::{Value, json};

use super::{
    Message, OwnRule,
    facts::{self, FACTS},
    fields,
};
use crate::{set::PolicyProblem, suggestion::nearest, view::Kind};

/// Kinds on which a cluster stands: to judge them could lock it.
const LOCKING: &[&str] = &[
    "Node",
    "Namespace",
    "Lease",
    "CertificateSigningRequest",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "CustomResourceDefinition",
    "APIService",
    "TokenReview",
    "SubjectAccessReview",
];

/// One own rule on its way.
pub(crate) struct Own<'a> {
    spec: &'a PolicySpec,
    rule: &'a PolicyRule,
    place: usize,
    problems: Vec<PolicyProblem>,
}

impl<'a> Own<'a> {
    pub(crate) const fn new(spec: &'a PolicySpec, rule: &'a PolicyRule, place: usize) -> Self {
        Self {
            spec,
            rule,
            place,
            problems: Vec::new(),
        }
    }

    /// The rule, or everything that is wrong with it.
    pub(crate) fn compile(mut self) -> Result<OwnRule, Vec<PolicyProblem>> {
        let name = self.name();
        let kinds = self.kinds();
        if self.rule.use_.is_some() {
            self.add(
                "use",
                "beside cel",
                "either use, or name, kinds and cel",
                None,
            );
        }
        if !self.rule.parameters.is_empty() {
            self.add("parameters", "beside cel", "params of the policy", None);
        }
        let workloads = !kinds.is_empty() && kinds.iter().all(|kind| kind.is_workload());
        let each_container = self.rule.each == Some(Each::Container);
        if each_container && !workloads && !kinds.is_empty() {
            self.add(
                "each",
                "container, but not all of kinds have containers",
                "kinds that carry pods",
                None,
            );
        }
        let mut environment =
            environment(&kinds, workloads, each_container && workloads, self.spec);
        let variables = self.variables(&mut environment);
        let cel = self.rule.cel.as_deref().unwrap_or_default();
        let program = self.checked("cel", Program::compile_to(cel, &environment, &Type::Bool));
        let message = self.message(&environment);
        let estimate = self.estimate(&variables, program.as_ref(), message.as_ref());
        let (Some(program), true) = (program, self.problems.is_empty()) else {
            return Err(self.problems);
        };
        Ok(self.whole(
            name,
            kinds,
            each_container,
            environment,
            variables,
            program,
            message,
            estimate,
        ))
    }

    /// Steps that the rule is estimated to take on one object: all its parts, once or for each container. More than one evaluation may take is refused here,
    /// or the rule would have no answer for objects of an everyday size.
    fn estimate(
        &mut self,
        variables: &[(String, Program)],
        program: Option<&Program>,
        message: Option<&Message>,
    ) -> u64 {
        let once = variables
            .iter()
            .map(|(_, variable)| variable.estimate())
            .chain(program.map(Program::estimate))
            .chain(message.map(|message| match message {
                Message::Template(template) => template.estimate(),
                Message::Expression(program) => program.estimate(),
            }))
            .fold(0, u64::saturating_add);
        let (estimate, of) = if self.rule.each == Some(Each::Container) {
            let containers = format!(", for {ASSUMED} containers");
            (once.saturating_mul(ASSUMED), containers)
        } else {
            (once, String::new())
        };
        if estimate > Budget::STEPS {
            self.add(
                "cel",
                &format!("estimated at {estimate} steps with its variables and message{of}, lists of {ASSUMED} elements assumed"),
                &format!("at most {} steps; nest fewer loops", Budget::STEPS),
                None,
            );
        }
        estimate
    }

    #[expect(clippy::too_many_arguments, reason = "every part of the rule, once")]
    fn whole(
        &self,
        name: String,
        kinds: Vec<Kind>,
        each_container: bool,
        environment: Environment,
        variables: Vec<(String, Program)>,
        program: Program,
        message: Option<Message>,
        estimate: u64,
    ) -> OwnRule {
        let mut uses: BTreeSet<String> = program.uses().iter().cloned().collect();
        for (_, variable) in &variables {
            uses.extend(variable.uses().iter().cloned());
        }
        let decides = uses.clone();
        match &message {
            Some(Message::Template(template)) => uses.extend(template.uses().map(str::to_owned)),
            Some(Message::Expression(program)) => uses.extend(program.uses().iter().cloned()),
            None => {}
        }
        let rule = self.rule;
        let mut kind_names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        kind_names.sort_unstable();
        let variable_texts: Vec<Value> = variables
            .iter()
            .map(|(name, program)| json!([name, program.text()]))
            .collect();
        let meaning = json!({
            "own": name, "action": rule.action, "onUnknown": self.spec.on_unknown, "kinds": kind_names,
            "each": rule.each, "cel": rule.cel, "message": rule.message, "messageExpression": rule.message_expression,
            "variables": variable_texts, "params": self.spec.params,
        })
        .to_string();
        OwnRule {
            name,
            action: rule.action,
            on_unknown: self.spec.on_unknown,
            kinds,
            each_container,
            environment,
            variables,
            program,
            message,
            params: self
                .spec
                .params
                .as_ref()
                .map(Value::from)
                .unwrap_or_default(),
            estimate,
            reads_template_only: decides.iter().all(|name| {
                matches!(name.as_str(), "pod" | "container" | "params")
                    || name.starts_with("variables.")
            }) && decides
                .iter()
                .any(|name| matches!(name.as_str(), "pod" | "container")),
            facts: FACTS
                .into_iter()
                .filter(|(name, _)| uses.contains(*name))
                .map(|(_, fact)| fact)
                .collect(),
            asks_user: uses.contains("request.userInfo"),
            asks_namespace: uses.contains("namespaceObject"),
            meaning,
        }
    }

    fn add(&mut self, field: &str, found: &str, passes: &str, excerpt: Option<String>) {
        self.problems.push(PolicyProblem {
            policy: String::new(),
            path: format!("spec.rules[{}].{field}", self.place),
            found: found.to_owned(),
            passes: passes.to_owned(),
            excerpt,
        });
    }

    fn checked<T>(&mut self, field: &str, result: Result<T, Problem>) -> Option<T> {
        match result {
            Ok(checked) => Some(checked),
            Err(problem) => {
                let found = format!(
                    "line {}, column {}: {}",
                    problem.line, problem.column, problem.message
                );
                let passes = problem
                    .suggestion
                    .clone()
                    .unwrap_or_else(|| "an expression in CEL".to_owned());
                self.add(field, &found, &passes, Some(problem.excerpt().to_owned()));
                None
            }
        }
    }

    fn name(&mut self) -> String {
        let name = self.rule.name.clone().unwrap_or_default();
        let kebab = name.starts_with(|c: char| c.is_ascii_lowercase())
            && !name.ends_with('-')
            && name.len() <= 63
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !kebab {
            let short: String = name.chars().take(80).collect();
            self.add(
                "name",
                &format!("{short:?}"),
                "lower-case words with dashes, such as registry-pinned",
                None,
            );
        }
        name
    }

    fn kinds(&mut self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        if self.rule.kinds.is_empty() {
            self.add(
                "kinds",
                "no kind",
                "at least one kind, such as Deployment",
                None,
            );
        }
        for (place, name) in self.rule.kinds.iter().enumerate() {
            let field = format!("kinds[{place}]");
            let short: String = name.chars().take(80).collect();
            let all = || Kind::JUDGED.into_iter().map(Kind::as_str);
            match Kind::JUDGED.into_iter().find(|kind| kind.as_str() == name) {
                Some(kind) if kinds.contains(&kind) => {
                    self.add(
                        &field,
                        &format!("{short} a second time"),
                        "each kind once",
                        None,
                    );
                }
                Some(kind) => kinds.push(kind),
                None if LOCKING.contains(&name.as_str()) => self.add(
                    &field,
                    &format!("{short}, and to judge it could lock the cluster"),
                    &all().collect::<Vec<_>>().join(", "),
                    None,
                ),
                None => {
                    let passes = match nearest(name, all()) {
                        Some(near) => format!("did you mean {near}?"),
                        None => all().collect::<Vec<_>>().join(", "),
                    };
                    self.add(&field, &format!("unknown kind {short:?}"), &passes, None);
                }
            }
        }
        kinds
    }

    /// Variables are checked in their order; each may read those before it.
    fn variables(&mut self, environment: &mut Environment) -> Vec<(String, Program)> {
        let mut variables: Vec<(String, Program)> = Vec::new();
        for (place, variable) in self.rule.variables.iter().enumerate() {
            let name = variable.name.as_str();
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.len() <= 63
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let field = format!("variables[{place}].name");
            if !is_name {
                let short: String = name.chars().take(80).collect();
                self.add(
                    &field,
                    &format!("{short:?}"),
                    "a name of letters, digits and _",
                    None,
                );
                continue;
            }
            if variables.iter().any(|(own, _)| own == name) {
                self.add(
                    &field,
                    &format!("{name} a second time"),
                    "each name once",
                    None,
                );
                continue;
            }
            let checked = Program::compile(&variable.expression, environment);
            if let Some(program) = self.checked(&format!("variables[{place}].expression"), checked)
            {
                environment.declare(format!("variables.{name}"), program.result().clone());
                variables.push((name.to_owned(), program));
            } else {
                // what reads it should not be told that it does not exist
                environment.declare(format!("variables.{name}"), Type::Dyn);
            }
        }
        variables
    }

    fn message(&mut self, environment: &Environment) -> Option<Message> {
        let rule = self.rule;
        if rule.message.is_some() && rule.message_expression.is_some() {
            self.add(
                "messageExpression",
                "beside message",
                "either message or messageExpression",
                None,
            );
        }
        if let Some(text) = &rule.message {
            let template = Template::compile(text, environment);
            return self.checked("message", template).map(Message::Template);
        }
        let text = rule.message_expression.as_ref()?;
        let program = Program::compile_to(text, environment, &Type::String);
        self.checked("messageExpression", program)
            .map(Message::Expression)
    }
}

/// The variables of an own rule.
fn environment(
    kinds: &[Kind],
    workloads: bool,
    each_container: bool,
    spec: &PolicySpec,
) -> Environment {
    let object = fields::of_objects(kinds);
    let mut environment = Environment::new()
        .variable("object", object.clone())
        .variable("oldObject", object)
        .variable("namespaceObject", Type::Dyn)
        .fields("namespaceObject", &["apiVersion", "kind", "metadata"])
        .fields("namespaceObject.metadata", &["name", "labels"])
        .variable("request.operation", Type::String)
        .variable("request.namespace", Type::String)
        .variable("request.name", Type::String)
        .variable("request.dryRun", Type::Bool)
        .variable("request.userInfo", Type::Dyn)
        .fields("request.userInfo", &["username", "uid", "groups", "extra"])
        .variable("params", Type::Dyn);
    if let Some(params) = spec.params.as_ref().and_then(|params| params.as_object()) {
        let names: Vec<&str> = params.keys().map(String::as_str).collect();
        environment = environment.fields("params", &names);
    }
    if workloads {
        environment = environment.variable("pod", fields::of_template());
    }
    if each_container {
        environment = environment.variable("container", fields::of_container());
    }
    for (name, fact) in FACTS {
        environment.declare(name, facts::type_of(fact));
    }
    environment
}
