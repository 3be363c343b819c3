//! `sluice policy test`: cases beside the policies, run in a pipeline. A wrong expectation shows what was expected and what came out.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use sluice_policies::schema::Schemas;
use sluice_probes::validate::TargetRules;
use sluice_tree::{Value, json};

use super::{
    beside::Beside,
    case::{self, Case, Facts, Given, Mismatch, TestFile},
    said,
};
use crate::{
    check::{
        self,
        facts::{Known, Reach},
        old::Old,
        policies::{self, Loaded},
        verdict::{self, Judges, Verdict},
    },
    console::{self, Style, Tone, one_line},
    manifest::{
        Problem,
        document::{self, Manifests, Object},
        source,
    },
    outcome::Outcome,
    output::Output,
    own,
};

/// Run the test cases that lie beside policies: documents of kind PolicyTest in the folder and below.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 every case is as expected, 1 some are not, 2 something cannot be read, or there is no case."
)]
pub struct Test {
    /// The folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: String,
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    output: Output,
}

/// The whole answer. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, Serialize)]
struct Report {
    passed: usize,
    failed: usize,
    cases: Vec<Ran>,
}

/// One case that ran.
#[derive(Clone, Debug, Serialize)]
struct Ran {
    file: String,
    line: u64,
    column: u64,
    name: String,
    passed: bool,
    #[serde(flatten)]
    mismatch: Mismatch,
}

/// Runs the command.
///
/// # Errors
/// When the output cannot be written.
pub fn run(test: &Test, namespace: &str) -> anyhow::Result<Outcome> {
    let mut problems = Vec::new();
    let (_, manifests) = check::read(std::slice::from_ref(&test.folder), &mut problems);
    problems.extend(manifests.problems);
    let world = World {
        beside: &test.beside,
        schemas: test.beside.schemas(),
        said: test.beside.exceptions(Vec::new()).problems,
        namespace,
    };
    problems.extend(world.said.iter().cloned());
    let mut report = Report {
        passed: 0,
        failed: 0,
        cases: Vec::new(),
    };
    for object in manifests
        .objects
        .iter()
        .filter(|object| own::is_test(object))
    {
        let file = match sluice_tree::from_value::<TestFile>(&object.value) {
            Ok(file) => file,
            Err(_) => {
                problems.push(not_a_test(object));
                continue;
            }
        };
        let named = named_policies(&file.policies, object, &test.folder);
        let mut loaded = policies::load(&named);
        loaded.set = test.beside.aimed(loaded.set);
        if file.cases.is_empty() {
            problems.push(object.problem("cases", "cases: none; passes: at least one case"));
        }
        if !loaded.problems.is_empty() {
            problems.extend(loaded.problems);
            continue;
        }
        for (place, case) in file.cases.iter().enumerate() {
            let mismatch = carry_out(object, place, case, &loaded, &world);
            let at = object.locate(&format!("cases[{place}]"));
            report.cases.push(Ran {
                file: object.file.clone(),
                line: at.line,
                column: at.column,
                name: case.name.clone(),
                passed: mismatch.is_empty(),
                mismatch,
            });
        }
    }
    report.passed = report.cases.iter().filter(|case| case.passed).count();
    report.failed = report.cases.len() - report.passed;
    let style = Style::of_stdout();
    let format = test.output.output;
    console::print(&format.show(&report, || text(&report, style))?)?;
    if report.cases.is_empty() && problems.is_empty() {
        problems.push(Problem::of_file(
            &test.folder,
            "no case: nothing of kind PolicyTest of sluice.dev/v1alpha1 in it",
        ));
    }
    Ok(match (said(&problems), report.failed) {
        (false, _) => Outcome::CannotTell,
        (true, 0) => Outcome::Yes,
        (true, _) => Outcome::No,
    })
}

/// Why a document is no test, with the place. Read a second time: only then does the reader know the path.
fn not_a_test(object: &Object) -> Problem {
    let read: Result<TestFile, _> =
        serde_path_to_error::deserialize(&serde_json::Value::from(&object.value));
    match read {
        Err(error) => {
            let path = error.path().to_string();
            object.problem(&path, format!("{path}: {}", error.inner()))
        }
        Ok(_) => object.problem("-", "not readable as a PolicyTest"),
    }
}

/// The policies under test: those the file names, as seen from it, or every policy of the folder.
fn named_policies(named: &[String], test: &Object, folder: &str) -> Vec<String> {
    if named.is_empty() {
        return vec![folder.to_owned()];
    }
    named
        .iter()
        .map(|name| beside(test, name).unwrap_or_else(|| name.clone()))
        .collect()
}

/// A path as seen from the test file; `None` when nothing is there.
fn beside(test: &Object, name: &str) -> Option<String> {
    let path = Path::new(&test.file).parent()?.join(name);
    path.exists().then(|| path.to_string_lossy().into_owned())
}

/// What every case is judged in.
struct World<'a> {
    beside: &'a Beside,
    schemas: Schemas,
    /// What is wrong with the exceptions of the command line: said once, not by every case.
    said: Vec<Problem>,
    namespace: &'a str,
}

fn carry_out(
    test: &Object,
    place: usize,
    case: &Case,
    policies: &Loaded,
    world: &World<'_>,
) -> Mismatch {
    let namespace = world.namespace;
    let mut schemas = world.schemas.clone();
    let mut problems = Vec::new();
    let mut given = |field: &str, given: &Given| {
        objects(
            test,
            &format!("cases[{place}].{field}"),
            given,
            &mut problems,
        )
    };
    let mut manifests = given("manifest", &case.manifest);
    let old = case.old.as_ref().map(|old| given("old", old));
    let mut misfits = Vec::new();
    let mut known = Known::default();
    match &case.facts {
        Some(Facts::Unknown(_)) => {}
        facts => {
            learn_namespaces(&mut known, &manifests, namespace);
            if let Some(Facts::Known(facts)) = facts {
                let facts = given("facts", facts);
                misfits = check::facts::problems(&facts.objects, &[], &[]);
                for object in &facts.objects {
                    schemas.learn(&object.value);
                }
                let objects = || facts.objects.iter().map(|object| &object.value);
                known.learn(objects(), Reach::Facts, namespace);
                known.learn_parameters(&policies.set, objects(), Reach::Facts, namespace);
            }
        }
    }
    known.learn_manifests(&manifests.objects, namespace);
    known.learn_parameters(
        &policies.set,
        manifests.objects.iter().map(|object| &object.value),
        Reach::Manifests,
        namespace,
    );
    for object in &manifests.objects {
        schemas.learn(&object.value);
    }
    let more = case
        .exceptions
        .as_ref()
        .map(|more| given("exceptions", more));
    let excepted = world
        .beside
        .exceptions(more.map(|more| more.objects).unwrap_or_default());
    let new = |problem: &&Problem| !world.said.contains(problem);
    problems.extend(excepted.problems.iter().filter(new).cloned());
    problems.extend(misfits);
    for (place_in, expected) in case.expect.iter().enumerate() {
        if expected.rule().is_none() {
            problems.push(test.problem(
                &format!("cases[{place}].expect[{place_in}]"),
                "an expectation says one of deny, warn, audit, unknown and excepted, with the name or code of a rule",
            ));
        }
    }
    if manifests.objects.is_empty() && problems.is_empty() {
        problems.push(test.problem(&format!("cases[{place}].manifest"), "no object to judge"));
    }
    manifests.problems.extend(problems);
    let verdict: Verdict = verdict::judge(
        &manifests,
        Judges {
            schemas: Some(&schemas),
            policies: &policies.set,
            exceptions: Some((&excepted, case.at.unwrap_or_else(Timestamp::now))),
            old: &Old::new(
                old.as_ref().map_or(&[][..], |old| old.objects.as_slice()),
                namespace,
            ),
            known: &known,
            targets: &TargetRules::default(),
            namespace,
        },
    );
    case::compare(&case.expect, &verdict)
}

/// The objects that a field of a case gives.
fn objects(test: &Object, path: &str, given: &Given, problems: &mut Vec<Problem>) -> Manifests {
    let names = match given {
        Given::Here(_) => {
            let mut found = test.inside(path).unwrap_or_default();
            problems.append(&mut found.problems);
            return found;
        }
        Given::File(name) => std::slice::from_ref(name),
        Given::Files(names) => names.as_slice(),
    };
    let mut paths = Vec::new();
    for name in names {
        match beside(test, name) {
            Some(path) => paths.push(path),
            None => problems.push(test.problem(
                path,
                format!("{name}: no such file or folder beside this one"),
            )),
        }
    }
    // as `sluice check` reads manifests: a key that occurs twice is a finding
    let (sources, unreadable) = source::read(&paths);
    problems.extend(unreadable);
    let mut found = document::objects(&sources);
    problems.append(&mut found.problems);
    found
}

/// Without other words, the namespaces of the manifests are there and hold nothing.
fn learn_namespaces(known: &mut Known, manifests: &Manifests, namespace: &str) {
    let namespaces = manifests.objects.iter().map(|object| {
        let name = object.namespace().unwrap_or(namespace);
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    });
    let namespaces: Vec<Value> = namespaces.collect();
    known.learn(&namespaces, Reach::Facts, namespace);
}

fn text(report: &Report, style: Style) -> String {
    let mut text = String::new();
    for case in &report.cases {
        let name = one_line(&case.name);
        if case.passed {
            let mark = style.paint(Tone::Good, "ok");
            text.push_str(&format!("{mark}    {}: {name}\n", case.file));
            continue;
        }
        let mark = style.paint(Tone::Bad, "wrong");
        let (line, column) = (case.line, case.column);
        text.push_str(&format!("{mark} {}:{line}:{column}: {name}\n", case.file));
        for problem in &case.mismatch.problems {
            text.push_str(&format!("      {}\n", one_line(problem)));
        }
        for (sign, tone, lines) in [
            ("- expected ", Tone::Good, &case.mismatch.missing),
            ("+ found    ", Tone::Bad, &case.mismatch.unexpected),
        ] {
            for line in lines {
                text.push_str(&format!(
                    "      {}\n",
                    style.paint(tone, &format!("{sign}{line}"))
                ));
            }
        }
    }
    text.push_str(&match (report.cases.len(), report.failed) {
        (0, _) => String::new(),
        (1, 0) => format!("{}1 case as expected\n", style.icon("✔", Tone::Good)),
        (all, 0) => format!("{}{all} cases as expected\n", style.icon("✔", Tone::Good)),
        (all, failed) => format!(
            "{}{failed} of {all} cases not as expected\n",
            style.icon("✖", Tone::Bad)
        ),
    });
    text
}
