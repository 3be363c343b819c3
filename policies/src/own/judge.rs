//! One own rule before one object.

use sluice_api::{Certainty, policy::OnUnknown};
use sluice_cel::{Arena, Bindings, Budget, Fault, Value as CelValue};
use sluice_tree::{Map, Value, json};

use super::{
    Message, OwnRule,
    facts::{self, FACTS},
    stored::template,
};
use crate::{
    Facts, Operation, Subject,
    facts::FactKind,
    rule::RawFinding,
    view::{Anchor, Container, View, join},
};

/// How long a message of a rule may be, in characters.
const LONGEST: usize = 300;
/// How much of an expression a finding shows, in characters.
const SHOWN: usize = 160;

/// What a rule is asked about.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub subject: &'a Subject<'a>,
    pub facts: &'a Facts<'a>,
    /// The object as the API server would store it.
    pub object: &'a Value,
    /// The object it replaces, likewise.
    pub old: Option<&'a Value>,
}

/// What an update touches, the same for every rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touched {
    template: bool,
    anything: bool,
}

impl Touched {
    pub fn of(new: &View<'_>, new_object: &Value, old_object: &Value) -> Self {
        let template = |object| template(object, new.kind()).map(|(of, _)| template_parts(of));
        Self {
            template: template(new_object) != template(old_object),
            anything: changing(new_object) != changing(old_object),
        }
    }

    /// Whether it is anything that the rule reads.
    pub const fn concerns(self, rule: &OwnRule) -> bool {
        if rule.reads_template_only {
            self.template
        } else {
            self.anything
        }
    }
}

/// What people write of a template; a Pod's has more.
fn template_parts(template: &Value) -> Vec<Option<&Value>> {
    let mut parts = vec![template.get("spec")];
    let metadata = template.get("metadata");
    for name in ["labels", "annotations", "name"] {
        parts.push(metadata.and_then(|metadata| metadata.get(name)));
    }
    parts
}

/// What people change: everything but the status and what the server keeps in the metadata.
fn changing(object: &Value) -> Vec<(&str, &Value)> {
    const KEPT: [&str; 5] = [
        "resourceVersion",
        "generation",
        "managedFields",
        "uid",
        "creationTimestamp",
    ];
    let fields = object.as_object().into_iter().flat_map(Map::iter);
    let top = fields.filter(|(name, _)| !matches!(name.as_str(), "status" | "metadata"));
    let metadata = object
        .get("metadata")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::iter)
        .filter(|(name, _)| !KEPT.contains(&name.as_str()));
    top.chain(metadata)
        .map(|(name, value)| (name.as_str(), value))
        .collect()
}

/// What the rule finds. `policy` is what people call the policy.
pub(crate) fn judge(rule: &OwnRule, policy: &str, question: &Question<'_>) -> Vec<RawFinding> {
    let Some(view) = View::lift(question.object) else {
        return Vec::new();
    };
    let request = Request::of(rule, question);
    let (arena, budget) = (Arena::new(), Budget::default());
    let mut asking = Asking {
        rule,
        policy,
        view,
        arena: &arena,
        budget: &budget,
        findings: Vec::new(),
    };
    let bindings = bind(rule, &view, question, &request);
    if rule.each_container {
        for container in view.containers() {
            let mut bindings = bindings.clone();
            bindings.set(
                &rule.environment,
                "container",
                CelValue::of_json(container.value),
            );
            asking.once(bindings, Some(&container));
        }
    } else {
        asking.once(bindings, None);
    }
    asking.findings
}

/// Values that no object holds.
struct Request {
    namespace_object: Option<Value>,
    /// The facts that the rule asks for, by their names; `None` for what is not known.
    facts: Vec<(&'static str, FactKind, Option<Value>)>,
}

impl Request {
    fn of(rule: &OwnRule, question: &Question<'_>) -> Self {
        let labels = question.facts.namespace_labels;
        let namespace_object = labels.filter(|_| rule.asks_namespace).map(|labels| {
            json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": question.subject.namespace, "labels": labels},
            })
        });
        let facts = FACTS
            .into_iter()
            .filter(|(_, fact)| rule.facts.contains(fact))
            .map(|(name, fact)| (name, fact, facts::value(fact, question.facts)))
            .collect();
        Self {
            namespace_object,
            facts,
        }
    }
}

fn bind<'a>(
    rule: &'a OwnRule,
    view: &View<'a>,
    question: &Question<'a>,
    request: &'a Request,
) -> Bindings<'a> {
    let environment = &rule.environment;
    let mut bindings = Bindings::new(environment);
    let subject = question.subject;
    let mut set = |name: &str, value: CelValue<'a>| bindings.set(environment, name, value);
    set("object", CelValue::of_json(question.object));
    set(
        "oldObject",
        question.old.map_or(CelValue::Null, CelValue::of_json),
    );
    set("params", CelValue::of_json(&rule.params));
    set(
        "request.operation",
        CelValue::Str(match subject.operation {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
        }),
    );
    set("request.namespace", CelValue::Str(subject.namespace));
    set("request.name", CelValue::Str(name_of(question.object)));
    set("request.dryRun", CelValue::Bool(subject.dry_run));
    if let Some((template, _)) = template(question.object, view.kind()) {
        set("pod", CelValue::of_json(template));
    }
    let mut missing = |name: &str, what: String| {
        bindings.fail(environment, name, Fault::Missing { what });
    };
    if rule.asks_namespace {
        missing(
            "namespaceObject",
            format!("labels of namespace {}", subject.namespace),
        );
    }
    if rule.asks_user {
        missing("request.userInfo", "the user of the request".to_owned());
    }
    for (name, fact, _) in &request.facts {
        missing(name, fact.to_string());
    }
    let mut set = |name: &str, value: Option<CelValue<'a>>| {
        if let Some(value) = value {
            bindings.set(environment, name, value);
        }
    };
    set(
        "namespaceObject",
        request.namespace_object.as_ref().map(CelValue::of_json),
    );
    set(
        "request.userInfo",
        question.facts.user.map(CelValue::of_json),
    );
    for (name, _, value) in &request.facts {
        set(name, value.as_ref().map(CelValue::of_json));
    }
    bindings
}

fn name_of(object: &Value) -> &str {
    object
        .get("metadata")
        .and_then(|metadata| metadata.get("name"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// One rule with one budget for all that it looks at.
struct Asking<'a, 'o> {
    rule: &'a OwnRule,
    policy: &'o str,
    view: View<'a>,
    arena: &'a Arena,
    budget: &'a Budget,
    findings: Vec<RawFinding>,
}

impl<'a> Asking<'a, '_> {
    fn once(&mut self, mut bindings: Bindings<'a>, container: Option<&Container<'a>>) {
        let rule = self.rule;
        for (name, program) in &rule.variables {
            let name = format!("variables.{name}");
            // a variable without an answer matters only to those who ask for it
            match program.evaluate(&bindings, self.arena, self.budget) {
                Ok(value) => bindings.set(&rule.environment, &name, value),
                Err(fault) => bindings.fail(&rule.environment, &name, fault),
            }
        }
        let answer = rule.program.evaluate(&bindings, self.arena, self.budget);
        // where a policy denies what nobody can tell, a rule without an answer is no question of facts: it is the same wherever it runs
        let failed = match rule.on_unknown {
            OnUnknown::Warn => Certainty::Unknown,
            OnUnknown::Deny => Certainty::Sure,
        };
        let (certainty, mark, found, passes) = match answer.map(|value| value.as_bool()) {
            Ok(Some(true)) => return,
            Ok(Some(false)) => (
                Certainty::Sure,
                "",
                self.message(&bindings),
                format!("{} (policy {})", self.expression(), self.policy),
            ),
            Ok(None) => (
                failed,
                "!",
                "the rule answers neither true nor false".to_owned(),
                format!("a rule of policy {} that does", self.policy),
            ),
            Err(Fault::Missing { what }) => (
                Certainty::Unknown,
                "?",
                format!("{what} not known"),
                format!("{what}, for policy {}", self.policy),
            ),
            Err(fault) => (
                failed,
                "!",
                line(&format!("the rule failed: {fault}")),
                format!(
                    "a rule of policy {} that has an answer for this object",
                    self.policy
                ),
            ),
        };
        let (path, mut identity, found) = self.place(container, found);
        // that the old object had no answer is not that it broke the rule
        identity.push_str(mark);
        self.findings.push(RawFinding {
            identity,
            certainty,
            ..RawFinding::at(path, found, passes)
        });
    }

    /// Where the finding is, what makes it the same in another version of the object, and what was found, with the container's name.
    fn place(&self, container: Option<&Container<'_>>, found: String) -> (String, String, String) {
        let Some(container) = container else {
            let template = self
                .rule
                .reads_template_only
                .then(|| self.view.prefix(Anchor::Pod))
                .flatten()
                .map(|path| path.strip_suffix(".spec").unwrap_or(path));
            let path = template.unwrap_or("-").to_owned();
            return (path.clone(), path, found);
        };
        let prefix = self.view.prefix(Anchor::Pod).unwrap_or_default();
        let (list, name) = (container.list(), container.name());
        let path = join(prefix, &format!("{list}[{}]", container.index));
        if name.is_empty() {
            return (path.clone(), path, found);
        }
        (
            path,
            join(prefix, &format!("{list}[{name}]")),
            format!("{found} (container {name})"),
        )
    }

    fn message(&self, bindings: &Bindings<'a>) -> String {
        let text = match &self.rule.message {
            None => None,
            Some(Message::Template(template)) => {
                Some(template.fill(bindings, self.arena, self.budget))
            }
            Some(Message::Expression(program)) => program
                .evaluate(bindings, self.arena, self.budget)
                .ok()
                .and_then(|value| value.as_str().map(str::to_owned)),
        };
        match text.map(|text| line(&text)) {
            Some(text) if !text.is_empty() => text,
            _ => "the rule does not hold".to_owned(),
        }
    }

    fn expression(&self) -> String {
        let text: Vec<&str> = self.rule.program.text().split_whitespace().collect();
        cut(&text.join(" "), SHOWN)
    }
}

/// One line, no longer than a finding may be.
pub(crate) fn line(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    cut(text.trim(), LONGEST)
}

pub(crate) fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest).chain(['…']).collect()
}
