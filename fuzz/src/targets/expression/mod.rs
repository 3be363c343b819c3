//! Expressions and messages with placeholders: they are refused with a place inside the text, or evaluated over several objects within their budget.

mod grammar;

use std::str;

use sluice_cel::{
    Arena, Bindings, Budget, Environment, Fault, Problem, Program, Template, Type, Value,
};
use sluice_tree::{Value as Json, json};

use super::{chosen, holds};
use crate::{
    corpus,
    random::Random,
    target::{Fingerprint, Form, Seen, Target},
};

/// What one evaluation may use here: a fiftieth of what a rule may, so that a run comes far.
const STEPS: u64 = 20_000;
const BYTES: usize = 1 << 20;
/// One text in so many is compiled and evaluated a second time.
const AGAIN: u64 = 32;

/// The target.
pub struct Expressions {
    environment: Environment,
    portable: Environment,
    objects: Vec<Json>,
}

impl Expressions {
    /// With objects to evaluate over: a usual one, one with every field wrong, and none.
    #[must_use]
    pub fn new() -> Self {
        let environment = Environment::new()
            .variable("object", Type::Dyn)
            .variable("oldObject", Type::Dyn)
            .variable("params", Type::Dyn)
            .variable("container", Type::Dyn)
            .variable("variables.limit", Type::Int)
            .variable("variables.name", Type::String)
            .variable("facts.quotas", Type::list(Type::Dyn))
            .fields(
                "object",
                &["apiVersion", "kind", "metadata", "spec", "status"],
            );
        Self {
            portable: environment.clone().portable_to(33),
            environment,
            objects: vec![usual(), odd(), Json::Null],
        }
    }
}

impl Default for Expressions {
    fn default() -> Self {
        Self::new()
    }
}

fn usual() -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web", "team": "shop"}, "annotations": {"example.com/owner": "a@example.com"}},
        "spec": {
            "replicas": 3, "paused": false, "empty": null, "ratio": 1.5, "big": u64::MAX,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": {"spec": {"containers": [
                {"name": "app", "image": "registry.example.com/shop/web:1.4.2", "ports": [{"name": "http", "containerPort": 8080}],
                    "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "250m"}}},
                {"name": "side", "image": "envoy@sha256:6aefddb645ee6963afd681b1845c661d0ea4c3b20ab9db86d9e753b203d385f2"},
            ]}},
        }
    })
}

fn odd() -> Json {
    json!({
        "apiVersion": 1, "kind": ["x"], "metadata": {"name": "ä\u{0}🚦".repeat(50), "labels": [null, {"": ""}], "annotations": {"a.b/c": -0.0}},
        "spec": {"replicas": -1, "ratio": 1e300, "big": i64::MIN, "strategy": [], "template": {"spec": {"containers":
            (0..100).map(|number| json!({"name": number, "image": null, "resources": {"limits": {"cpu": "9e99"}}})).collect::<Vec<_>>()}}},
    })
}

impl Target for Expressions {
    fn name(&self) -> &'static str {
        "expression"
    }

    fn form(&self) -> Form {
        Form::Line
    }

    fn longest(&self) -> usize {
        1500
    }

    fn memory(&self) -> usize {
        32 << 20
    }

    fn seeds(&self) -> Vec<String> {
        let mut seeds: Vec<String> = corpus::texts("cel/tests/expressions/table", "txt")
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|line| line.split_once("  →  "))
            .map(|(expression, _)| expression.trim().to_owned())
            .collect();
        // expressions of policies, as far as they stand on one line
        let yaml = [
            corpus::texts("policies/samples", "yaml"),
            corpus::texts("e2e/verdicts", "yaml"),
        ]
        .concat();
        seeds.extend(
            yaml.iter()
                .flat_map(|text| text.lines())
                .filter_map(|line| {
                    let (key, value) = line.split_once(": ")?;
                    let key = key.trim().trim_start_matches("- ");
                    matches!(key, "cel" | "message" | "messageExpression" | "expression")
                        .then(|| value.trim_matches(['\'', '"']).to_owned())
                }),
        );
        seeds
    }

    fn words(&self) -> Vec<String> {
        super::words(grammar::WORDS)
    }

    fn generate(&self, random: &mut Random) -> Option<String> {
        let depth = 1 + random.below(4);
        let text = grammar::made(depth, random);
        Some(if random.once_in(12) {
            format!("a {{{{ {text} }}}} b {{{{object.kind}}}}")
        } else {
            text
        })
    }

    fn check(&mut self, case: &[u8]) -> Result<Seen, String> {
        let mut print = Fingerprint::default();
        let Ok(text) = str::from_utf8(case) else {
            return Ok(print.seen("no text"));
        };
        if text.contains("{{") {
            return self.template(text, print);
        }
        let again = chosen(case, AGAIN);
        let program = match Program::compile(text, &self.environment) {
            Ok(program) => program,
            Err(problem) => {
                told_well(&problem, text)?;
                if again {
                    let second = Program::compile(text, &self.environment).err();
                    holds(second.as_ref() == Some(&problem), || {
                        format!("refused in two ways: {problem} and {second:?}")
                    })?;
                }
                return Ok(print.words(&problem.message).seen("refused"));
            }
        };
        holds(program.text() == text, || {
            "compiled from another text".to_owned()
        })?;
        if again {
            let portable = Program::compile(text, &self.portable);
            if let Err(problem) = &portable {
                told_well(problem, text)?;
                print.words(&problem.message);
            }
        }
        let mut depth = "failed";
        for object in &self.objects {
            let answer = self.answer(&program, object, |answer| match answer {
                Ok(value) => Said::Answer(value.type_name()),
                Err(Fault::Spent { what }) => Said::Spent(what),
                Err(fault) => Said::Fault(fault.to_string()),
            })?;
            match answer {
                Said::Answer(type_name) => {
                    depth = "answered";
                    print.add(type_name);
                }
                Said::Spent(what) => {
                    print.add(what);
                }
                Said::Fault(fault) => {
                    print.words(&fault);
                }
            }
        }
        if again {
            self.again(text, &program)?;
        }
        print.add(program.result().to_string()).add(program.uses());
        Ok(print.seen(depth))
    }
}

impl Expressions {
    fn bindings<'a>(&'a self, object: &'a Json) -> Bindings<'a> {
        let mut bindings = Bindings::new(&self.environment);
        bindings.set(&self.environment, "object", Value::of_json(object));
        bindings.set(
            &self.environment,
            "params",
            Value::of_json(&self.objects[0]),
        );
        bindings.set(&self.environment, "variables.limit", Value::Int(4));
        bindings.set(&self.environment, "variables.name", Value::Str("web"));
        if let Some(container) = object.pointer("/spec/template/spec/containers/0") {
            bindings.set(&self.environment, "container", Value::of_json(container));
        }
        // `oldObject` and `facts.quotas` are not at hand
        bindings
    }

    /// What is made of a program's answer, within a budget.
    fn answer<T>(
        &self,
        program: &Program,
        object: &Json,
        make: impl Fn(Result<&Value<'_>, &Fault>) -> T,
    ) -> Result<T, String> {
        let bindings = self.bindings(object);
        let (arena, budget) = (Arena::new(), Budget::new(STEPS, BYTES));
        let outcome = program.evaluate(&bindings, &arena, &budget);
        holds(budget.steps_left() < STEPS, || {
            "an evaluation without a step".to_owned()
        })?;
        match &outcome {
            Ok(value) => {
                let known = program.result();
                holds(is_a(value, known, 3), || {
                    format!(
                        "an answer of type {} where {known} was promised",
                        value.type_name()
                    )
                })?;
            }
            Err(fault) => {
                let said = fault.to_string();
                holds(said.len() < 4096, || {
                    format!("a message of {} bytes", said.len())
                })?;
            }
        }
        Ok(make(outcome.as_ref()))
    }

    /// The whole answer over the usual object; `None` where a budget ended it.
    fn whole(&self, program: &Program) -> Result<Option<String>, String> {
        self.answer(program, &self.objects[0], |answer| match answer {
            Ok(value) => Some(format!("{value:?}")),
            Err(Fault::Spent { .. }) => None,
            // where it failed is another place in another text
            Err(Fault::Failed { message, .. }) => Some(format!("failed: {message}")),
            Err(fault) => Some(fault.to_string()),
        })
    }

    /// The same expression has the same answer once more, in brackets, as an element, a value, a bound variable, a branch and the body of a loop.
    fn again(&self, text: &str, program: &Program) -> Result<(), String> {
        let Some(first) = self.whole(program)? else {
            return Ok(());
        };
        let second = self.whole(program)?;
        holds(second.is_none_or(|second| second == first), || {
            format!("answered {first}, and then in another way")
        })?;
        // the end of the line ends a comment too
        for form in [
            format!("({text}\n)"),
            format!("[{text}\n][0]"),
            format!("{{'k': {text}\n}}.k"),
            format!("cel.bind(q9, {text}\n, q9)"),
            format!("(1 < 2 ? dyn({text}\n) : dyn(0))"),
            format!("[0].map(q9, {text}\n)[0]"),
        ] {
            let other = match Program::compile(&form, &self.environment) {
                Ok(other) => other,
                Err(problem) => {
                    let too_much = ["deep", "estimated", "bytes of text"];
                    let told = &problem.message;
                    holds(too_much.iter().any(|word| told.contains(word)), || {
                        format!("taken alone, and refused as {form:?}: {problem}")
                    })?;
                    continue;
                }
            };
            if let Some(other) = self.whole(&other)? {
                holds(other == first, || {
                    format!("answered {first} alone, and {other} as {form:?}")
                })?;
            }
        }
        Ok(())
    }

    fn template(&self, text: &str, mut print: Fingerprint) -> Result<Seen, String> {
        let template = match Template::compile(text, &self.environment) {
            Ok(template) => template,
            Err(problem) => {
                told_well(&problem, text)?;
                return Ok(print.words(&problem.message).seen("refused message"));
            }
        };
        print.add(template.uses().count().min(4));
        for object in &self.objects {
            let bindings = self.bindings(object);
            let (arena, budget) = (Arena::new(), Budget::new(STEPS, BYTES));
            let filled = template.fill(&bindings, &arena, &budget);
            // every placeholder is at most what its budget makes
            holds(filled.len() <= text.len() + 2 * BYTES, || {
                format!("a message of {} bytes", filled.len())
            })?;
            print
                .add(filled.contains("(no value)"))
                .add(filled.contains("(not known)"));
        }
        Ok(print.seen("message"))
    }
}

/// An answer without what in it depends on the text.
enum Said {
    Answer(&'static str),
    Spent(&'static str),
    Fault(String),
}

/// Whether a value is of a type, looked at so many levels deep.
fn is_a(value: &Value<'_>, of: &Type, levels: usize) -> bool {
    if levels == 0 {
        return true;
    }
    let inner = |value: &Value<'_>, of: &Type| is_a(value, of, levels - 1);
    match (of, value) {
        (Type::Dyn, _)
        | (Type::Null, Value::Null)
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Uint, Value::Uint(_))
        | (Type::Double, Value::Double(_))
        | (Type::String, Value::Str(_))
        | (Type::Bytes, Value::Bytes(_))
        | (Type::Timestamp, Value::Timestamp(_))
        | (Type::Duration, Value::Duration(_))
        | (Type::Type, Value::Type(_))
        | (Type::Quantity, Value::Quantity(_))
        | (Type::Ip, Value::Ip(_))
        | (Type::Cidr, Value::Cidr(_))
        | (Type::Url, Value::Url(_))
        | (Type::Semver, Value::Semver(_))
        | (Type::Format, Value::Format(_))
        | (Type::Image, Value::Image(_))
        | (Type::List(_), Value::JsonList(_))
        | (Type::Map(..), Value::JsonMap(_))
        | (Type::Optional(_), Value::Optional(None)) => true,
        (Type::List(element), Value::List(items)) => items.iter().all(|item| inner(item, element)),
        (Type::Map(key, held), Value::Map(entries)) => entries
            .iter()
            .all(|(own, value)| inner(own, key) && inner(value, held)),
        (Type::Optional(held), Value::Optional(Some(value))) => inner(value, held),
        _ => false,
    }
}

/// A problem is told with a place inside the text and a caret under it.
fn told_well(problem: &Problem, text: &str) -> Result<(), String> {
    holds(!problem.message.contains("the parser failed"), || {
        "the parser panicked".to_owned()
    })?;
    let line = text.split('\n').nth(problem.line.wrapping_sub(1));
    let inside = line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&problem.column));
    holds(inside, || {
        format!(
            "told at {}:{}, which is outside of the text: {problem}",
            problem.line, problem.column
        )
    })?;
    let said = problem.to_string();
    holds(said.len() < 4096, || {
        format!("a message of {} bytes", said.len())
    })?;
    let lines: Vec<&str> = problem.excerpt().split('\n').collect();
    holds(
        lines.len() == 2 && lines[1].trim_start() == "^" && !lines[0].chars().any(char::is_control),
        || format!("an excerpt of {lines:?}"),
    )
}
