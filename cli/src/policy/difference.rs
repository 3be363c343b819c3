//! `sluice policy diff`: what a change of policies would change, object by object.

use std::collections::BTreeMap;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use sluice_api::Finding;

use super::{beside::Beside, said};
use crate::{
    check::{
        self,
        facts::{Known, Reach},
        old::Old,
        policies,
        verdict::{self, Judged, Judges, Placed, Verdict},
    },
    console::{self, Style, Tone, one_line},
    manifest::{document, source},
    outcome::Outcome,
    output::Output,
};

/// What a change of policies would change for manifests.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 nothing would change, 1 something would, 2 something cannot be read."
)]
pub struct Diff {
    /// The policies now: a file, a folder, or the name of a shipped set
    #[arg(value_name = "NOW")]
    now: String,
    /// The policies as they would be
    #[arg(value_name = "THEN")]
    then: String,
    /// Manifests: files, folders (with everything below), globs, or `-` for the standard input
    #[arg(short, long, value_name = "PATH", required = true, num_args = 1..)]
    filename: Vec<String>,
    /// YAML with Namespaces, ResourceQuotas and LimitRanges that rules may ask for
    #[arg(long, value_name = "FILE", num_args = 1..)]
    facts: Vec<String>,
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    output: Output,
}

/// The whole answer. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Difference {
    /// The digest of the policies now.
    now: String,
    /// The digest of the policies as they would be.
    then: String,
    judged: usize,
    /// Objects that would be refused now, and then.
    refused: [usize; 2],
    changes: Vec<Change>,
}

/// One finding that is not the same.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    file: String,
    line: u64,
    column: u64,
    object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<Told>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Told {
    #[serde(flatten)]
    finding: Finding,
    text: String,
}

/// Runs the command.
///
/// # Errors
/// When the output cannot be written.
pub fn run(diff: &Diff, namespace: &str) -> anyhow::Result<Outcome> {
    let load = |named| {
        let loaded = policies::load(std::slice::from_ref(named));
        (diff.beside.aimed(loaded.set), loaded.problems)
    };
    let ((now, problems), (then, more)) = (load(&diff.now), load(&diff.then));
    let mut problems = [problems, more].concat();
    let excepted = diff.beside.exceptions(Vec::new());
    problems.extend(excepted.problems.iter().cloned());
    // as `sluice check` reads manifests: a key that occurs twice is a finding
    let (sources, unreadable) = source::read(&diff.filename);
    problems.extend(unreadable);
    let manifests = document::objects(&sources);
    let (_, stated) = check::read(&diff.facts, &mut problems);
    problems.extend(manifests.problems.iter().cloned());
    problems.extend(stated.problems);
    problems.extend(check::facts::problems(
        &stated.objects,
        &diff.facts,
        &[&now, &then],
    ));
    if !said(&problems) {
        return Ok(Outcome::CannotTell);
    }
    let mut known = Known::default();
    known.learn(
        stated.objects.iter().map(|object| &object.value),
        Reach::Facts,
        namespace,
    );
    known.learn_manifests(&manifests.objects, namespace);
    for set in [&now, &then] {
        for (objects, reach) in [
            (&stated.objects, Reach::Facts),
            (&manifests.objects, Reach::Manifests),
        ] {
            let objects = objects.iter().map(|object| &object.value);
            known.learn_parameters(set, objects, reach, namespace);
        }
    }
    let targets = check::target_rules(None)?;
    let mut schemas = diff.beside.schemas();
    for object in stated.objects.iter().chain(&manifests.objects) {
        schemas.learn(&object.value);
    }
    // one moment for both, so that no exception ends in between
    let at = Timestamp::now();
    let judged = |policies| {
        verdict::judge(
            &manifests,
            Judges {
                schemas: Some(&schemas),
                policies,
                exceptions: Some((&excepted, at)),
                old: &Old::default(),
                known: &known,
                targets: &targets,
                namespace,
            },
        )
    };
    let difference = compare(&judged(&now), &judged(&then));
    let style = Style::of_stdout();
    let format = diff.output.output;
    console::print(&format.show(&difference, || text(&difference, style))?)?;
    Ok(if difference.changes.is_empty() {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

/// Pure: what differs between two verdicts on the same objects.
fn compare(now: &Verdict, then: &Verdict) -> Difference {
    // a kind that no policy of one side knows is judged by the other alone
    let mut objects: BTreeMap<usize, [Option<&Judged>; 2]> = BTreeMap::new();
    for (side, verdict) in [now, then].into_iter().enumerate() {
        for object in &verdict.objects {
            objects.entry(object.index).or_default()[side] = Some(object);
        }
    }
    Difference {
        now: now.policy_set.clone(),
        then: then.policy_set.clone(),
        judged: objects.len(),
        refused: [now.summary.refused, then.summary.refused],
        changes: objects.into_values().flat_map(of_object).collect(),
    }
}

fn of_object(sides: [Option<&Judged>; 2]) -> Vec<Change> {
    let Some(object) = sides[1].or(sides[0]) else {
        return Vec::new();
    };
    // a rule may find several things at one field: they are paired in their order, those that are the same first
    let mut findings: BTreeMap<(&str, &str), [Vec<&Placed>; 2]> = BTreeMap::new();
    for (side, object) in sides.iter().enumerate() {
        for placed in object.iter().flat_map(|object| &object.findings) {
            let key = (placed.finding.code.as_str(), placed.anchor.as_str());
            findings.entry(key).or_default()[side].push(placed);
        }
    }
    let mut changes = Vec::new();
    for [mut now, mut then] in findings.into_values() {
        now.retain(|old| {
            let same = then.iter().position(|new| new.finding == old.finding);
            same.map(|place| then.remove(place)).is_none()
        });
        let count = now.len().max(then.len());
        for place in 0..count {
            let (now, then) = (now.get(place).copied(), then.get(place).copied());
            let Some(placed) = then.or(now) else { continue };
            changes.push(Change {
                file: object.file.clone(),
                line: placed.line,
                column: placed.column,
                object: object.title(),
                now: now.map(told),
                then: then.map(told),
            });
        }
    }
    changes
}

fn told(placed: &Placed) -> Told {
    Told {
        finding: placed.finding.clone(),
        text: placed.text.clone(),
    }
}

fn text(difference: &Difference, style: Style) -> String {
    let mut text = String::new();
    let mut last = None;
    let [mut new, mut gone, mut other] = [0, 0, 0];
    for change in &difference.changes {
        let object = (&change.file, &change.object);
        if last.replace(object) != Some(object) {
            let title = one_line(&change.object);
            text.push_str(&format!(
                "{}: {}\n",
                change.file,
                style.paint(Tone::Strong, &title)
            ));
        }
        let place = format!("{}:{}:{}", change.file, change.line, change.column);
        let mut line = |sign: &str, tone, told: &Told| {
            let line = format!(
                "{sign} {}: {}",
                verdict::word(&told.finding),
                one_line(&told.text)
            );
            text.push_str(&format!("{place}: {}\n", style.paint(tone, &line)));
        };
        match (&change.now, &change.then) {
            (Some(now), Some(then)) => {
                other += 1;
                line("-", Tone::Good, now);
                line("+", Tone::Bad, then);
            }
            (Some(now), None) => {
                gone += 1;
                line("-", Tone::Good, now);
            }
            (None, Some(then)) => {
                new += 1;
                line("+", Tone::Bad, then);
            }
            (None, None) => {}
        }
    }
    let [before, after] = difference.refused;
    let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
    text.push_str(&format!(
        "{} judged: {new} new, {gone} gone, {other} changed; {before} would be refused now, {after} then (policy set {}, then {})\n",
        match difference.judged {
            1 => "1 object".to_owned(),
            count => format!("{count} objects"),
        },
        short(&difference.now),
        short(&difference.then)
    ));
    text
}
