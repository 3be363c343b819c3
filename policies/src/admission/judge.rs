//! The policies of the API server before one object.

use sluice_api::{Action, Certainty};
use sluice_cel::{Arena, Bindings, Budget, Fault, Program, Value as CelValue};
use sluice_tree::{Map, Value, json};

use super::{
    Admission, Binding, Policy, Validation,
    matching::{self, Matches},
    resource::Asked,
    spec::{FailurePolicy, NotFound, ParamRef},
};
use crate::{
    Facts, Named, Operation, Subject,
    facts::Param,
    own::{cut, line, stored},
    rule::RawFinding,
    view::View,
};

/// How much of an expression a finding shows, in characters.
const SHOWN: usize = 160;
/// The longest answer of a `messageExpression`, in bytes, as the API server has it.
const LONGEST_MESSAGE: usize = 5 << 10;

/// What one policy found through one binding.
pub(crate) struct Found<'a> {
    pub policy: &'a str,
    pub action: Action,
    /// Whether nobody can tell that the policy is about the object, since the labels of the namespace are not known.
    pub perhaps: bool,
    pub findings: Vec<RawFinding>,
}

impl Admission {
    /// What they find; `None` when none of them is about the object.
    pub fn judge<'a>(&'a self, subject: &Subject<'_>, facts: &Facts<'_>) -> Option<Vec<Found<'a>>> {
        if self.policies.is_empty() {
            return None;
        }
        let asked = Asked::of(subject, &self.custom);
        let mut request: Option<Request> = None;
        let mut all = None;
        for policy in &self.policies {
            let by_policy = matching::matches(&policy.constraints, &asked, subject, facts);
            if by_policy == Matches::No {
                continue;
            }
            for binding in &policy.bindings {
                let by_binding = binding.spec.match_resources.as_ref();
                let matches = by_binding.map_or(Matches::Yes, |resources| {
                    matching::matches(resources, &asked, subject, facts)
                });
                let matches = by_policy.clone().and(matches);
                if matches == Matches::No {
                    continue;
                }
                let all = all.get_or_insert_with(Vec::new);
                if let Matches::AfterConversion(version) = &matches {
                    all.push(policy.told(binding, converted(&asked, version)));
                    continue;
                }
                let request = request.get_or_insert_with(|| Request::of(&asked, subject, facts));
                let mut found = policy.through(binding, request, facts);
                found
                    .iter_mut()
                    .for_each(|found| found.perhaps = matches == Matches::PerhapsByNamespace);
                all.extend(found);
            }
        }
        all
    }
}

fn converted(asked: &Asked<'_>, version: &str) -> RawFinding {
    let named = |version: &str| match asked.group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    unknown(
        format!(
            "the API server converts {} of {} to {} before it judges",
            asked.kind,
            named(asked.version),
            named(version)
        ),
        format!("the object in {}", named(version)),
    )
}

fn unknown(found: impl Into<String>, needs: impl Into<String>) -> RawFinding {
    RawFinding {
        certainty: Certainty::Unknown,
        ..RawFinding::at("-".to_owned(), found, needs)
    }
}

/// What the expressions read, made once for all of them.
struct Request {
    object: Value,
    old: Option<Value>,
    namespace: String,
    namespace_object: Option<Value>,
    request: Value,
    user: Option<Value>,
}

impl Request {
    fn of(asked: &Asked<'_>, subject: &Subject<'_>, facts: &Facts<'_>) -> Self {
        let namespace = if asked.namespaced {
            subject.namespace
        } else {
            ""
        };
        let as_stored = |object: &Value| {
            let kind = View::lift(object).map(|view| view.kind());
            stored(object, kind, namespace)
        };
        let namespace_object = facts.namespace_labels.map(|labels| {
            let mut metadata = json!({"name": namespace});
            if !labels.is_empty() {
                metadata["labels"] = json!(labels);
            }
            json!({"metadata": metadata})
        });
        Self {
            object: as_stored(subject.object),
            old: subject
                .old
                .filter(|_| subject.operation == Operation::Update)
                .map(as_stored),
            namespace: namespace.to_owned(),
            namespace_object,
            request: request(asked, namespace, subject.dry_run, facts),
            user: facts.user.cloned(),
        }
    }
}

fn request(asked: &Asked<'_>, namespace: &str, dry_run: bool, facts: &Facts<'_>) -> Value {
    let of = |last: &str, word: &str| {
        let mut of = json!({"group": asked.group, "version": asked.version});
        of[last] = word.into();
        of
    };
    let mut request = Map::new();
    let mut put = |name: &str, value: Value| request.insert(name.to_owned(), value);
    for name in ["kind", "requestKind"] {
        put(name, of("kind", asked.kind));
    }
    for name in ["resource", "requestResource"] {
        put(name, of("resource", &asked.resource));
    }
    put(
        "operation",
        match asked.operation {
            Operation::Create => "CREATE".into(),
            Operation::Update => "UPDATE".into(),
        },
    );
    put("dryRun", dry_run.into());
    // a namespace lies in itself, as the API server sees it
    let namespace = if asked.is_namespace() {
        asked.name
    } else {
        namespace
    };
    for (name, text) in [("name", asked.name), ("namespace", namespace)] {
        if !text.is_empty() {
            put(name, text.into());
        }
    }
    if let Some(user) = facts.user {
        put("userInfo", user.clone());
    }
    Value::Object(request)
}

/// The parameters of a binding for one request.
enum Parameters<'a> {
    /// Evaluated once with each; once with `null` where there are none to have.
    These(Vec<Option<&'a Param>>),
    /// There are none, and that decides.
    NotThere,
    /// Nobody can tell what they are.
    NotKnown(String),
    /// The binding cannot be used for this request.
    Broken(&'static str),
}

impl Policy {
    fn told(&self, binding: &Binding, finding: RawFinding) -> Found<'_> {
        Found {
            policy: &self.name,
            action: binding.action,
            perhaps: false,
            findings: vec![finding],
        }
    }

    /// What it finds through a binding that is about the request.
    fn through<'a>(
        &'a self,
        binding: &Binding,
        request: &Request,
        facts: &Facts<'_>,
    ) -> Vec<Found<'a>> {
        let broken = |why: &str| {
            // whatever the binding's actions are: the API server cannot even ask
            let finding = RawFinding::at(
                "-".to_owned(),
                format!("failed to configure binding: {why}"),
                format!("a binding that can be used ({})", self.whose(binding, None)),
            );
            let mut found = self.told(binding, self.failed(finding));
            found.action = Action::Deny;
            vec![found]
        };
        match self.parameters(binding, request, facts) {
            Parameters::Broken(why) => broken(why),
            Parameters::NotThere => {
                let action = binding.spec.param_ref.as_ref();
                match action.and_then(|reference| reference.parameter_not_found_action) {
                    Some(NotFound::Deny) => broken(
                        "no params found for policy binding with `Deny` parameterNotFoundAction",
                    ),
                    _ => Vec::new(),
                }
            }
            Parameters::NotKnown(what) => vec![self.told(
                binding,
                unknown(
                    format!("{what} not known"),
                    format!(
                        "{what} among the policy files, from the cluster or a file of facts ({})",
                        self.whose(binding, None)
                    ),
                ),
            )],
            Parameters::These(params) => params
                .into_iter()
                .map(|param| Found {
                    policy: &self.name,
                    action: binding.action,
                    perhaps: false,
                    findings: self.evaluate(binding, param, request),
                })
                .collect(),
        }
    }

    fn parameters<'a>(
        &self,
        binding: &'a Binding,
        request: &Request,
        facts: &Facts<'a>,
    ) -> Parameters<'a> {
        let (Some(kind), Some(reference)) = (&self.param_kind, &binding.spec.param_ref) else {
            return Parameters::These(vec![None]);
        };
        let (api_version, named_kind) = (kind.api_version.as_str(), kind.kind.as_str());
        let beside = facts
            .params
            .map_or(&[][..], |params| params.of(api_version, named_kind));
        // what lies among the policy files goes before what the cluster has
        let beside = beside
            .iter()
            .filter(|param| !binding.params.iter().any(|own| own.is_at(param)));
        let all: Vec<&'a Param> = binding.params.iter().chain(beside).collect();
        // whether the kind lies in namespaces shows in its objects; without any, in what the binding says
        let namespaced = match all.first() {
            Some(param) => param.namespace.is_some(),
            None => crate::schema::table::Table::shipped()
                .namespaced(&kind.api_version, &kind.kind)
                .unwrap_or(true),
        };
        let said = reference
            .namespace
            .as_deref()
            .filter(|name| !name.is_empty());
        let namespace = match (namespaced, said) {
            (true, Some(said)) => Some(said),
            (true, None) if request.namespace.is_empty() => {
                return Parameters::Broken(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
                );
            }
            (true, None) => Some(request.namespace.as_str()),
            (false, Some(_)) => {
                return Parameters::Broken(
                    "paramRef.namespace must not be provided for a cluster-scoped `paramKind`",
                );
            }
            (false, None) => None,
        };
        let found: Vec<Option<&Param>> = all
            .into_iter()
            .filter(|param| param.namespace.as_deref() == namespace && is_meant(reference, param))
            .map(Some)
            .collect();
        if !found.is_empty() {
            return Parameters::These(found);
        }
        if facts
            .params
            .is_some_and(|params| params.is_whole(api_version, named_kind, namespace))
        {
            return Parameters::NotThere;
        }
        if let Some(name) = &reference.name
            && namespace.is_none_or(|namespace| namespace == request.namespace)
            && let Some(named) = Named::ALL.into_iter().find(|named| {
                (named.api_version(), named.as_str()) == (&*kind.api_version, &*kind.kind)
            })
            && facts.names(named).has(name) == Some(false)
        {
            return Parameters::NotThere;
        }
        let place = namespace.map_or_else(String::new, |name| format!(" of namespace {name}"));
        Parameters::NotKnown(match &reference.name {
            Some(name) => format!("{} {name}{place}", kind.kind),
            None => format!("{} objects that the binding selects{place}", kind.kind),
        })
    }

    /// What an expression without an answer leads to, as `failurePolicy` says. To let in is told too: nobody else would ever hear of it.
    fn failed(&self, finding: RawFinding) -> RawFinding {
        match self.failure {
            FailurePolicy::Fail => finding,
            FailurePolicy::Ignore => RawFinding {
                certainty: Certainty::Unknown,
                ceiling: Action::Audit,
                found: format!("{} (failurePolicy Ignore lets it in)", finding.found),
                ..finding
            },
        }
    }

    fn whose(&self, binding: &Binding, param: Option<&Param>) -> String {
        let mut whose = format!(
            "ValidatingAdmissionPolicy {}, binding {}",
            self.name, binding.name
        );
        if let Some(param) = param {
            whose.push_str(&format!(", parameters {}", param.name));
        }
        whose
    }

    fn evaluate(
        &self,
        binding: &Binding,
        param: Option<&Param>,
        request: &Request,
    ) -> Vec<RawFinding> {
        let (arena, budget) = (Arena::new(), Budget::default());
        let evaluation = Evaluation {
            arena: &arena,
            budget: &budget,
            bindings: self.bind(param, request, &arena, &budget),
        };
        let whose = self.whose(binding, param);
        match self.applies(&evaluation) {
            Ok(true) => {}
            Ok(false) => return Vec::new(),
            Err(Unanswered::Missing(what)) => {
                return vec![unknown(
                    format!("{what} not known, on which depends whether the policy applies"),
                    format!("{what} ({whose}, spec.matchConditions)"),
                )];
            }
            Err(Unanswered::Failed(why)) => {
                let finding = RawFinding::at(
                    "-".to_owned(),
                    line(&why),
                    format!("match conditions with an answer for this object ({whose})"),
                );
                return vec![self.failed(finding)];
            }
        }
        let validations = self.validations.iter().enumerate();
        validations
            .filter_map(|(place, validation)| self.validate(validation, place, &evaluation, &whose))
            .collect()
    }

    /// Whether every match condition holds. One that does not decides, whatever the others say.
    fn applies(&self, evaluation: &Evaluation<'_>) -> Result<bool, Unanswered> {
        let (mut missing, mut failed) = (None, Vec::new());
        for condition in &self.conditions {
            match evaluation.ask(condition) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(Unanswered::Missing(what)) => missing = missing.or(Some(what)),
                Err(Unanswered::Failed(why)) => failed.push(why),
            }
        }
        match (missing, failed.as_slice()) {
            (Some(what), _) => Err(Unanswered::Missing(what)),
            (None, []) => Ok(true),
            (None, [why]) => Err(Unanswered::Failed(why.clone())),
            (None, several) => Err(Unanswered::Failed(format!("[{}]", several.join(", ")))),
        }
    }

    fn validate(
        &self,
        validation: &Validation,
        place: usize,
        evaluation: &Evaluation<'_>,
        whose: &str,
    ) -> Option<RawFinding> {
        let passes = || {
            let text: Vec<&str> = validation.program.text().split_whitespace().collect();
            let text = cut(&text.join(" "), SHOWN);
            format!("{text} ({whose}, spec.validations[{place}])")
        };
        let finding = match evaluation.ask(&validation.program) {
            Ok(true) => return None,
            Ok(false) => RawFinding::at(
                "-".to_owned(),
                line(&evaluation.message(validation)),
                passes(),
            ),
            Err(Unanswered::Missing(what)) => unknown(
                format!("{what} not known"),
                format!("{what} ({whose}, spec.validations[{place}])"),
            ),
            Err(Unanswered::Failed(why)) => {
                self.failed(RawFinding::at("-".to_owned(), line(&why), passes()))
            }
        };
        Some(RawFinding {
            identity: format!("-{place}"),
            ..finding
        })
    }

    fn bind<'a>(
        &'a self,
        param: Option<&'a Param>,
        request: &'a Request,
        arena: &'a Arena,
        budget: &'a Budget,
    ) -> Bindings<'a> {
        let environment = &self.environment;
        let mut bindings = Bindings::new(environment);
        let json = CelValue::of_json;
        let null = |value: Option<&'a Value>| value.map_or(CelValue::Null, json);
        let mut set = |name: &str, value| bindings.set(environment, name, value);
        set("object", json(&request.object));
        set("oldObject", null(request.old.as_ref()));
        set("request", json(&request.request));
        set("params", null(param.map(|param| &param.object)));
        if let Some(user) = &request.user {
            set("request.userInfo", json(user));
        }
        match &request.namespace_object {
            _ if request.namespace.is_empty() => {
                set("namespaceObject", CelValue::Null);
                let none = Fault::Failed {
                    message: "no such key: metadata".to_owned(),
                    line: 1,
                    column: 1,
                };
                bindings.fail(environment, "namespaceObject.metadata", none);
            }
            Some(object) => {
                set("namespaceObject", json(object));
                set("namespaceObject.metadata", json(&object["metadata"]));
            }
            None => {
                for name in ["namespaceObject", "namespaceObject.metadata"] {
                    let what = format!("labels of namespace {}", request.namespace);
                    bindings.fail(environment, name, Fault::Missing { what });
                }
            }
        }
        for (name, what) in [
            ("request.userInfo", "the user of the request".to_owned()),
            (
                "authorizer",
                "what the authorizer of the API server says".to_owned(),
            ),
            (
                "authorizer.requestResource",
                "what the authorizer of the API server says".to_owned(),
            ),
        ] {
            if !bindings.is_set(environment, name) {
                bindings.fail(environment, name, Fault::Missing { what });
            }
        }
        for (name, program) in &self.variables {
            // a variable without an answer matters only to those who ask for it
            match program.evaluate(&bindings, arena, budget) {
                Ok(value) => bindings.set(environment, name, value),
                Err(fault) => bindings.fail(environment, name, fault),
            }
        }
        bindings
    }
}

pub(super) fn is_meant(reference: &ParamRef, param: &Param) -> bool {
    match (&reference.name, &reference.selector) {
        (Some(name), _) if !name.is_empty() => *name == param.name,
        (_, Some(selector)) => selector.matches(&matching::labels(&param.object)),
        _ => false,
    }
}

/// Why an expression has no answer.
enum Unanswered {
    Missing(String),
    Failed(String),
}

struct Evaluation<'a> {
    arena: &'a Arena,
    budget: &'a Budget,
    bindings: Bindings<'a>,
}

impl<'a> Evaluation<'a> {
    fn ask(&self, program: &'a Program) -> Result<bool, Unanswered> {
        let failed = |why: String| {
            let text = program.text().trim();
            Unanswered::Failed(format!("expression '{text}' resulted in error: {why}"))
        };
        match program.evaluate(&self.bindings, self.arena, self.budget) {
            Ok(value) => value
                .as_bool()
                .ok_or_else(|| failed("it answers neither true nor false".to_owned())),
            Err(Fault::Missing { what }) => Err(Unanswered::Missing(what)),
            // where in the expression is not said: the API server does not
            Err(Fault::Failed { message, .. }) => Err(failed(message)),
            Err(fault) => Err(failed(fault.to_string())),
        }
    }

    /// What the API server says of a validation that does not hold.
    fn message(&self, validation: &'a Validation) -> String {
        let made = validation.expression.as_ref().and_then(|program| {
            let value = program
                .evaluate(&self.bindings, self.arena, self.budget)
                .ok()?;
            let text = value.as_str()?.trim().to_owned();
            let fits = !text.is_empty() && text.len() <= LONGEST_MESSAGE && !text.contains('\n');
            fits.then_some(text)
        });
        let said = || {
            validation
                .message
                .as_deref()
                .map(|text| text.trim().to_owned())
        };
        made.or_else(said)
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| format!("failed expression: {}", validation.program.text().trim()))
    }
}
