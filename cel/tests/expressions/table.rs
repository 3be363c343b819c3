//! Expressions and their answers, after Kubernetes' pages on CEL and cel-go's documented behaviour.
//!
//! `table/*.txt`: one case per line, `expression  →  answer`. An answer is written the way `%s` prints it, with its type before it where the text could be of several;
//! `error: …` is a failure at evaluation whose message begins so, `refused: …` one before it ever runs.

use sluice_cel::{Arena, Bindings, Budget, Environment, Fault, Program, Type, Value};
use sluice_tree::{Value as Json, json};

fn object() -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web", "team": "shop"},
            "annotations": {"example.com/owner": "a@example.com"}, "generation": 7},
        "spec": {
            "replicas": 3,
            "paused": false,
            "empty": null,
            "ratio": 1.5,
            "big": 18_446_744_073_709_551_615u64,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {"name": "app", "image": "registry.example.com/shop/web:1.4.2",
                         "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "250m", "memory": "512Mi"}},
                         "ports": [{"name": "http", "containerPort": 8080}],
                         "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                         "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
                        {"name": "side", "image": "envoy@sha256:6aefddb645ee6963afd681b1845c661d0ea4c3b20ab9db86d9e753b203d385f2",
                         "resources": {"limits": {"cpu": "1", "memory": "128Mi"}}}
                    ],
                    "volumes": [{"name": "data", "emptyDir": {}}, {"name": "cache", "emptyDir": {}}]
                }
            }
        }
    })
}

fn environment() -> Environment {
    Environment::new()
        .variable("object", Type::Dyn)
        .variable("oldObject", Type::Dyn)
        .variable("params", Type::Dyn)
        .variable("variables.limit", Type::Int)
        .variable("facts.quotas", Type::Dyn)
        .fields(
            "object",
            &["apiVersion", "kind", "metadata", "spec", "status"],
        )
}

fn answer(text: &str) -> String {
    let (object, params) = (
        object(),
        json!({"max": 5, "registries": ["registry.example.com/"]}),
    );
    let environment = environment();
    let program = match Program::compile(text, &environment) {
        Ok(program) => program,
        Err(problem) => return format!("refused: {problem}"),
    };
    let arena = Arena::new();
    let budget = Budget::default();
    let mut bindings = Bindings::new(&environment);
    bindings.set(&environment, "object", Value::of_json(&object));
    bindings.set(&environment, "oldObject", Value::Null);
    bindings.set(&environment, "params", Value::of_json(&params));
    bindings.set(&environment, "variables.limit", Value::Int(4));
    match program.evaluate(&bindings, &arena, &budget) {
        Ok(value) => {
            // what is known before it runs must hold when it runs
            let of = value.type_name();
            let told = program.result().to_string();
            assert!(
                told == "dyn"
                    || of.starts_with(told.split('(').next().unwrap())
                    || of.contains(&capital(&told)),
                "{text}: said to be {told}, is {of}"
            );
            printed(&value)
        }
        Err(Fault::Missing { what }) => format!("missing: {what}"),
        Err(fault) => format!("error: {fault}"),
    }
}

fn capital(word: &str) -> String {
    let word = match word.split('(').next().unwrap() {
        "ip" => return "IP".to_owned(),
        "cidr" => return "CIDR".to_owned(),
        "url" => return "URL".to_owned(),
        word => word,
    };
    word[..1].to_uppercase() + &word[1..]
}

/// A value with quotes around texts and `u` after unsigned numbers, so that types show.
fn printed(value: &Value<'_>) -> String {
    match value {
        Value::Str(text) => format!("{text:?}"),
        Value::Uint(number) => format!("{number}u"),
        Value::Bytes(bytes) => format!("b{:?}", String::from_utf8_lossy(bytes)),
        Value::Type(name) => format!("type {name}"),
        Value::List(list) => {
            format!(
                "[{}]",
                list.iter().map(printed).collect::<Vec<_>>().join(", ")
            )
        }
        Value::JsonList(list) => {
            let list: Vec<String> = list
                .iter()
                .map(|value| printed(&Value::of_json(value)))
                .collect();
            format!("[{}]", list.join(", "))
        }
        Value::Map(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", printed(key), printed(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::JsonMap(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key:?}: {}", printed(&Value::of_json(value))))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Optional(None) => "none".to_owned(),
        Value::Optional(Some(inner)) => format!("some {}", printed(inner)),
        other => {
            // through the language itself: the text that %s gives
            let environment = Environment::new().variable("it", Type::Dyn);
            let program = Program::compile("'%s'.format([it])", &environment).unwrap();
            let (arena, budget) = (Arena::new(), Budget::default());
            let mut bindings = Bindings::new(&environment);
            bindings.set(&environment, "it", *other);
            let text = program.evaluate(&bindings, &arena, &budget).unwrap();
            text.as_str().unwrap().to_owned()
        }
    }
}

#[test]
fn every_expression_has_its_answer() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for (name, text) in [
        ("language", include_str!("table/language.txt")),
        ("macros", include_str!("table/macros.txt")),
        ("libraries", include_str!("table/libraries.txt")),
        ("refused", include_str!("table/refused.txt")),
    ] {
        for (place, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (expression, expected) = line
                .split_once("  →  ")
                .unwrap_or_else(|| panic!("{name}:{}: no answer", place + 1));
            cases += 1;
            let answer = answer(expression.trim());
            let right = if expected.starts_with("error:") || expected.starts_with("refused:") {
                answer.contains(expected.trim_end_matches('…').split_once(": ").unwrap().1)
                    && answer.split(':').next() == expected.split(':').next()
            } else {
                answer == expected
            };
            if !right {
                wrong.push(format!(
                    "{name}:{}: {expression}\n  expected {expected}\n  answered {answer}",
                    place + 1
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {cases} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(cases >= 300, "{cases}");
}
