//! No expression crashes, hangs or fills the memory: every text here ends in an answer or an error, in bounded time, on the stack of a small thread.

use std::time::{Duration, Instant};

use sluice_cel::{
    Arena, Bindings, Budget, Environment, Fault, LONGEST, Program, Template, Type, Value,
};
use sluice_tree::json;

fn environment() -> Environment {
    Environment::new()
        .variable("object", Type::Dyn)
        .variable("big", Type::Dyn)
}

/// Compiles and evaluates on a thread as small as those that serve requests; what came out, in a word.
fn outcome(text: &str) -> String {
    let text = text.to_owned();
    let started = Instant::now();
    let head: String = text.chars().take(60).collect();
    let result = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || run(&text))
        .unwrap()
        .join()
        .expect("no panic");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(30), "{head}: {took:?}");
    result
}

fn run(text: &str) -> String {
    let environment = environment();
    let program = match Program::compile(text, &environment) {
        Ok(program) => program,
        Err(problem) => return format!("refused: {}", problem.message),
    };
    let object = json!({"a": {"a": 1}, "name": "x".repeat(1000)});
    let big = json!((0..2000).collect::<Vec<i32>>());
    let mut bindings = Bindings::new(&environment);
    bindings.set(&environment, "object", Value::of_json(&object));
    bindings.set(&environment, "big", Value::of_json(&big));
    let (arena, budget) = (Arena::new(), Budget::default());
    match program.evaluate(&bindings, &arena, &budget) {
        Ok(value) => format!("answer {}", value.type_name()),
        Err(Fault::Spent { what }) => format!("spent {what}"),
        Err(Fault::Failed { .. }) => "failed".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn chains_that_abort_a_plain_evaluator_are_refused() {
    for (text, told) in [
        (format!("0{}", "+1".repeat(20_000)), "bytes of text"),
        (format!("object{}", ".a".repeat(5_000)), "nested more than"),
        (
            format!("object{}", "['a']".repeat(3_000)),
            "nested more than",
        ),
        (format!("0{}", "+1".repeat(8_000)), "nested more than"),
        (format!("object{}", ".a".repeat(300)), "nested more than"),
        (
            format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000)),
            "bytes of text",
        ),
        (
            format!("{}1{}", "(".repeat(8_000), ")".repeat(8_000)),
            "refused",
        ),
        ("(".repeat(16_000), "refused"),
        ("[".repeat(16_000), "refused"),
        ("{".repeat(16_000), "refused"),
        (format!("{}true", "!(".repeat(8_000)), "refused"),
        (format!("{}1", "-(".repeat(8_000)), "refused"),
        (format!("true{}", " ? true".repeat(2_000)), "refused"),
        (format!("true{}", " ? true : true".repeat(1_100)), "refused"),
        (
            format!("object{}", ".size()".repeat(2_300)),
            "nested more than",
        ),
        (
            format!("[1]{}", ".map(x, x)".repeat(1_600)),
            "nested more than",
        ),
        (format!("object{}", "[0".repeat(8_000)), "refused"),
        (format!("'{}", "a".repeat(16_000)), "refused"),
        (format!("1{}", " == 1".repeat(3_000)), "nested more than"),
        (format!("1{}", " in [1]".repeat(2_300)), "refused"),
        ("\u{0}\u{1}\u{feff}".to_owned(), "refused"),
        ("a".repeat(LONGEST), "unknown variable"),
        ("\"\\".repeat(8_000), "refused"),
        ("`".repeat(16_000), "refused"),
        ("?".repeat(16_000), "refused"),
    ] {
        let told_now = outcome(&text);
        assert!(
            told_now.starts_with("refused") && told_now.contains(told),
            "{}: {told_now}",
            text.chars().take(40).collect::<String>()
        );
    }
}

#[test]
fn flat_chains_of_logic_may_be_long() {
    assert_eq!(
        outcome(&format!("true{}", " && true".repeat(1_500))),
        "answer bool"
    );
    assert_eq!(
        outcome(&format!("{}true", "!".repeat(16_001))),
        "answer bool"
    );
    assert_eq!(
        outcome(&format!("false{}", " || false".repeat(1_500))),
        "answer bool"
    );
}

#[test]
fn loops_in_loops_end_by_their_estimate_or_their_budget() {
    let nested = |depth: usize, range: &str| {
        let open: String = (0..depth)
            .map(|at| format!("{range}.all(x{at}, "))
            .collect();
        format!("{open}true{}", ")".repeat(depth))
    };
    assert!(outcome(&nested(6, "big")).contains("estimated at"));
    assert_eq!(outcome(&nested(4, "big")), "spent steps");
    assert_eq!(outcome(&nested(2, "big")), "spent steps");
    assert_eq!(outcome(&nested(1, "big")), "answer bool");
    assert_eq!(
        outcome("big.map(x, big).map(y, y.map(z, z + 1)).size() > 0"),
        "spent steps"
    );
    assert_eq!(outcome("big.all(x, big == big)"), "spent steps");
    assert_eq!(
        outcome("big.all(x, sets.contains(big, big))"),
        "spent steps"
    );
    // what is absorbed elsewhere does not make up for an empty budget
    assert_eq!(
        outcome("big.all(x, big.all(y, true)) || true"),
        "spent steps"
    );
}

#[test]
fn doubling_ends_by_the_budget() {
    let doubled = |start: &str, step: &str, times: usize| {
        let open: String = (0..times)
            .map(|at| {
                let before = if at == 0 {
                    start.to_owned()
                } else {
                    step.replace('_', &format!("x{}", at - 1))
                };
                format!("cel.bind(x{at}, {before}, ")
            })
            .collect();
        format!("{open}size(x{}){}", times - 1, ")".repeat(times))
    };
    for (start, step) in [
        ("object.name", "_ + _"),
        ("[1]", "_ + _"),
        ("b'aaaa'", "_ + _"),
        ("object.name", "[_, _].join(_)"),
        ("'aa'", "_.replace('a', _)"),
        ("'aa'", "'%s%s'.format([_, _])"),
        ("'aa'", "_.replace('', 'aaaaaaaa')"),
        ("'aaaa'", "_.split('').join('aaaaaaaa')"),
    ] {
        let told = outcome(&doubled(start, step, 60));
        assert!(
            told.starts_with("spent") || told == "failed",
            "{step}: {told}"
        );
    }
    // one list many times over takes no memory, but to look at it takes steps
    let shared: String = (0..60)
        .map(|at| {
            let before = if at == 0 {
                "[1]".to_owned()
            } else {
                format!("[x{0}, x{0}]", at - 1)
            };
            format!("cel.bind(x{at}, {before}, ")
        })
        .collect();
    for look in [
        "x59 == x59",
        "x59 in [x59]",
        "'%s'.format([x59]) == ''",
        "[x59].indexOf(x59) == 1",
    ] {
        let told = outcome(&format!("{shared}{look}{}", ")".repeat(60)));
        assert!(told.starts_with("spent"), "{look}: {told}");
    }
}

#[test]
fn patterns_are_bounded() {
    for text in [
        "object.name.matches('(x+x+)+y')",
        "object.name.matches('(((x*)*)*)*y')",
        "object.name.findAll('x*?').size() > 0",
    ] {
        assert!(outcome(text).starts_with("answer"), "{text}");
    }
    for text in [
        "'a'.matches('(((a{100}){100}){100}){100}')".to_owned(),
        format!("'a'.matches('{}')", "(".repeat(1_000)),
        format!("'a'.matches('{}a{}')", "(".repeat(500), ")".repeat(500)),
        "'a'.matches('\\\\p{L}{1000}{1000}')".to_owned(),
    ] {
        assert!(outcome(&text).starts_with("refused"), "{text}");
    }
    // patterns made while it runs cost as much as they take
    assert_eq!(
        outcome("big.all(x, object.name.matches('x{900}' + string(x)) || true)"),
        "spent steps"
    );
}

#[test]
fn a_missing_fact_is_said_by_name() {
    let environment = Environment::new().variable("facts.quotas", Type::Dyn);
    let program = Program::compile("facts.quotas.size() == 0", &environment).unwrap();
    let (arena, budget) = (Arena::new(), Budget::default());
    let bindings = Bindings::new(&environment);
    assert_eq!(
        program.evaluate(&bindings, &arena, &budget).unwrap_err(),
        Fault::Missing {
            what: "facts.quotas".to_owned()
        }
    );
    assert_eq!(program.uses(), ["facts.quotas"]);
}

#[test]
fn the_answer_has_to_be_of_the_type_that_is_asked_for() {
    let environment = environment();
    assert!(Program::compile_to("object.name", &environment, &Type::Bool).is_ok());
    let problem = Program::compile_to("size(object.name)", &environment, &Type::Bool).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "line 1, column 5: the answer is int; an expression whose answer is bool"
    );
    assert_eq!(problem.excerpt(), "size(object.name)\n    ^");
}

#[test]
fn portable_expressions_use_what_the_version_has() {
    for (text, minor, told) in [
        ("semver('1.2.3').major() == 1", 33, None),
        (
            "semver('1.2.3').major() == 1",
            32,
            Some("semver() needs Kubernetes 1.33, not 1.32"),
        ),
        (
            "[1].all(i, v, true)",
            31,
            Some("all with two variables needs Kubernetes 1.32, not 1.31"),
        ),
        (
            "cel.bind(x, 1, x == 1)",
            37,
            Some("no version of Kubernetes has cel.bind"),
        ),
        (
            "ip('10.0.0.1').family() == 4",
            29,
            Some("ip() needs Kubernetes 1.30, not 1.29"),
        ),
    ] {
        let problem = Program::compile(text, &environment().portable_to(minor)).err();
        assert_eq!(
            problem.map(|problem| problem.message).as_deref(),
            told,
            "{text}"
        );
    }
}

#[test]
fn placeholders_are_filled_and_bad_ones_told_with_their_place() {
    let environment = environment();
    let template = Template::compile(
        "use {{ object.name }} of {{ {'a': '}}'}.a }}, not {{ object.nope }}",
        &environment,
    )
    .unwrap();
    let object = json!({"name": "x"});
    let mut bindings = Bindings::new(&environment);
    bindings.set(&environment, "object", Value::of_json(&object));
    let (arena, budget) = (Arena::new(), Budget::default());
    assert_eq!(
        template.fill(&bindings, &arena, &budget),
        "use x of }}, not (no value)"
    );
    for (text, told) in [
        (
            "a {{ objct.name }}",
            "line 1, column 6: unknown variable objct; did you mean object?",
        ),
        (
            "a\n{{\n objct }}",
            "line 3, column 2: unknown variable objct; did you mean object?",
        ),
        (
            "a {{ object",
            "line 1, column 3: a placeholder that is not closed; {{ expression }}",
        ),
        ("a {{ }}", "line 1, column 5: no expression"),
    ] {
        assert_eq!(
            Template::compile(text, &environment)
                .unwrap_err()
                .to_string(),
            told,
            "{text}"
        );
    }
}
