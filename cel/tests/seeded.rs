//! Mutations of the table's expressions, from a fixed seed: none may panic, whatever comes out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail where it stands"
)]

use sluice_cel::{Arena, Bindings, Budget, Environment, Program, Type, Value};
use sluice_tree::json;

/// xorshift: the same cases in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).unwrap()
    }
}

fn seeds() -> Vec<String> {
    [
        include_str!("table/language.txt"),
        include_str!("table/macros.txt"),
        include_str!("table/libraries.txt"),
        include_str!("table/refused.txt"),
    ]
    .iter()
    .flat_map(|text| text.lines())
    .filter_map(|line| line.split_once("  →  "))
    .map(|(expression, _)| expression.trim().to_owned())
    .collect()
}

fn mutated(random: &mut Random, seeds: &[String]) -> String {
    let mut text: Vec<char> = seeds[random.below(seeds.len())].chars().collect();
    for _ in 0..=random.below(4) {
        let other: Vec<char> = seeds[random.below(seeds.len())].chars().collect();
        let at = random.below(text.len() + 1);
        match random.below(5) {
            0 if !text.is_empty() => {
                text.remove(at.min(text.len() - 1));
            }
            1 => {
                let from = random.below(other.len());
                let to = (from + random.below(12)).min(other.len());
                text.splice(at..at, other[from..to].iter().copied());
            }
            2 => text.insert(
                at,
                ['(', ')', '[', ']', '?', '.', '\'', '%', '0', '9', '-', 'é'][random.below(12)],
            ),
            3 => {
                let end = (at + random.below(8)).min(text.len());
                text.drain(at..end);
            }
            _ => {
                let end = (at + random.below(10)).min(text.len());
                let part: Vec<char> = text[at..end].to_vec();
                text.splice(at..at, part);
            }
        }
    }
    text.into_iter().take(4000).collect()
}

#[test]
fn mutated_expressions_never_panic() {
    let rounds = std::env::var("SLUICE_CEL_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(1_500);
    let seeds = seeds();
    let mut random = Random(0x5EED_CE11);
    let environment = Environment::new()
        .variable("object", Type::Dyn)
        .variable("oldObject", Type::Dyn)
        .variable("params", Type::Dyn)
        .variable("variables.limit", Type::Int)
        .variable("facts.quotas", Type::Dyn);
    let object = json!({"kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"replicas": 3,
        "template": {"spec": {"containers": [{"name": "app", "image": "nginx:1"}, {"name": "b", "image": "b"}]}}}});
    let mut bindings = Bindings::new(&environment);
    bindings.set(&environment, "object", Value::of_json(&object));
    bindings.set(&environment, "params", Value::of_json(&object));
    bindings.set(&environment, "variables.limit", Value::Int(4));
    let (mut compiled, mut answered) = (0, 0);
    for _ in 0..rounds {
        let text = mutated(&mut random, &seeds);
        match Program::compile(&text, &environment) {
            Ok(program) => {
                compiled += 1;
                let (arena, budget) = (Arena::new(), Budget::new(100_000, 1 << 20));
                answered += usize::from(program.evaluate(&bindings, &arena, &budget).is_ok());
            }
            Err(problem) => {
                assert!(!problem.message.contains("the parser failed"), "{text:?}");
                assert!(problem.line >= 1 && problem.column >= 1, "{text:?}");
            }
        }
    }
    assert!(
        compiled > rounds / 20 && answered > rounds / 50,
        "{compiled} compiled, {answered} answered"
    );
}
