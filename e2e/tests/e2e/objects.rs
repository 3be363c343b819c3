//! Sluice's own objects: what cannot work is refused at the door, and `sluice check` says the same words with the place.

use anyhow::{Context, ensure};
use serde_json::Value;
use sluice_e2e::{User, plane::Output};

use crate::{
    answers,
    place::{Place, in_place},
};

/// Kind, spec as written, line and column of the mistake, and words that must be said: the path and what would pass.
const BROKEN: &[(&str, &str, [u64; 2], [&str; 2])] = &[
    (
        "Policy",
        "  rules: [{use: cronjob-without-dedline, action: Deny}]",
        [5, 12],
        [
            "spec.rules[0].use: unknown rule \"cronjob-without-dedline\"",
            "did you mean cronjob-without-deadline?",
        ],
    ),
    (
        "Policy",
        "  rules: [{use: SLU1001}]",
        [5, 12],
        [
            "spec.rules[0].use: unknown rule \"SLU1001\"",
            "cronjob-without-deadline (a rule is used by its name, not by its code)",
        ],
    ),
    (
        "Policy",
        "  rules: [{use: cronjob-without-deadline, parameters: {maxDeadline: 1h}}]",
        [5, 56],
        [
            "spec.rules[0].parameters.maxDeadline: unknown parameter",
            "passes: minStartingDeadline, maxStartingDeadline",
        ],
    ),
    (
        "Policy",
        "  rules:\n  - use: cronjob-without-deadline\n    parameters: {maxStartingDeadline: soon}",
        [7, 18],
        ["spec.rules[0].parameters.maxStartingDeadline: ", "passes: "],
    ),
    (
        "Policy",
        "  rules: []",
        [5, 3],
        ["spec.rules: Invalid value", "at least 1 items"],
    ),
    (
        "Policy",
        "  rules: [{use: cronjob-without-deadline, action: Refuse}]",
        [5, 43],
        [
            "spec.rules[0].action: Unsupported value: \"Refuse\"",
            "\"Audit\", \"Warn\", \"Deny\"",
        ],
    ),
    (
        "Probe",
        "  http: {target: {url: \"http://checkout.shop.svc/\"}}\n  interval: 5 minutes",
        [6, 3],
        [
            "spec.interval: Invalid value: \"5 minutes\"",
            "should match",
        ],
    ),
    (
        "Probe",
        "  http: {target: {url: \"http://checkout.shop.svc/\"}}\n  interval: 1s\n  timeout: 5s",
        [7, 3],
        ["spec.timeout: ", "passes: "],
    ),
    (
        "Probe",
        "  http: {target: {url: \"http:///ready\"}}",
        [5, 19],
        [
            "spec.http.target.url: `http:///ready`: no host",
            "passes: an absolute http or https URL with a host",
        ],
    ),
    (
        "Probe",
        "  http: {target: {url: \"http://169.254.169.254/latest\"}}",
        [5, 19],
        ["spec.http.target.url: ", "passes: "],
    ),
    (
        "Probe",
        "  prometheus: {query: up, condition: \"value <\"}",
        [5, 27],
        [
            "spec.prometheus.condition: `value <`",
            "passes: one of <, <=, >, >=, ==, != and a finite number",
        ],
    ),
    (
        "Probe",
        "  prometheus: {source: elsewhere, query: up, condition: \"> 0\"}",
        [5, 16],
        [
            "spec.prometheus.source: `elsewhere`",
            "passes: a Prometheus of the configuration file",
        ],
    ),
    (
        "Probe",
        "  http: {target: {url: \"http://checkout.shop.svc/\"}}\n  prometheus: {query: up, condition: \"> 0\"}",
        [4, 1],
        [
            "spec: Invalid value",
            "set exactly one check: http or prometheus",
        ],
    ),
    (
        "Probe",
        "  interval: 5s",
        [4, 1],
        [
            "spec: Invalid value",
            "set exactly one check: http or prometheus",
        ],
    ),
    (
        "Probe",
        "  http: {target: {pods: Canary}}",
        [5, 10],
        [
            "spec.http.target: Invalid value",
            "pods and port belong together",
        ],
    ),
    (
        "Gate",
        "  components: {kinds: [Deployment]}\n  before: {probes: [{name: a, selector: {matchLabels: {a: b}}}]}",
        [6, 21],
        [
            "spec.before.probes[0]: Invalid value",
            "set either name or selector",
        ],
    ),
    (
        "Gate",
        "  components: {kinds: [Pod]}\n  before: {probes: [{name: a}]}",
        [5, 24],
        [
            "spec.components.kinds[0]: Unsupported value: \"Pod\"",
            "\"Deployment\", \"StatefulSet\", \"DaemonSet\"",
        ],
    ),
    (
        "Gate",
        "  components: {}\n  before: {probes: [{name: a}], maxAge: 100ms}",
        [6, 33],
        ["spec.before.maxAge: ", "passes: "],
    ),
    (
        "RolloutPlan",
        "  components: {}\n  batches: [\"50%\", \"10%\", \"100%\"]",
        [6, 20],
        [
            "spec.batches[1]: 10%",
            "passes: 50% to 100%: batches are cumulative and may not go down",
        ],
    ),
    (
        "RolloutPlan",
        "  components: {}\n  batches: [0]",
        [6, 13],
        [
            "spec.batches[0]: `0` is not a batch size",
            "use a number of pods of at least 1, or a share from \"1%\" to \"100%\"",
        ],
    ),
    (
        "RolloutPlan",
        "  components: {}\n  bake: forever",
        [6, 3],
        ["spec.bake: Invalid value: \"forever\"", "should match"],
    ),
    (
        "RolloutPlan",
        "  components: {selector: {matchExpressions: [{key: a, operator: In, values: []}]}}",
        [5, 69],
        [
            "spec.components.selector.matchExpressions[0].values: no value",
            "passes: at least one value with In",
        ],
    ),
];

fn manifest(kind: &str, spec: &str) -> String {
    format!("apiVersion: sluice.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec:\n{spec}\n")
}

/// What the cluster says is wrong: the webhook's numbered lines, or what the API server's own schema finds.
fn said_by_the_cluster(output: &Output) -> anyhow::Result<Vec<String>> {
    if let Some(refusal) = answers::refusal(output) {
        return Ok(answers::lines(refusal)
            .into_iter()
            .map(str::to_owned)
            .collect());
    }
    let (_, list) = output
        .stderr
        .split_once(" is invalid: ")
        .with_context(|| format!("not refused for what it says: {output:?}"))?;
    Ok(list
        .lines()
        .map(|line| line.trim().trim_start_matches("* "))
        // the API server adds that it has not looked any further
        .filter(|line| !line.is_empty() && !line.starts_with("<nil>: "))
        .map(str::to_owned)
        .collect())
}

#[tokio::test]
async fn what_cannot_work_is_refused_and_check_says_the_same_words_with_the_place()
-> anyhow::Result<()> {
    in_place("broken", "enforce", async |place| {
        let mut wrong = Vec::new();
        for case in BROKEN {
            if let Err(error) = refused_alike(place, case).await {
                wrong.push(format!("{} {}: {error:#}", case.0, case.1));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        Ok(())
    })
    .await
}

async fn refused_alike(
    place: &Place,
    (kind, spec, [line, column], words): &(&str, &str, [u64; 2], [&str; 2]),
) -> anyhow::Result<()> {
    let text = manifest(kind, spec);
    let output = place.feed(User::Admin, "create -f -", &text).await?;
    ensure!(!output.succeeded(), "it was let in");
    let live = said_by_the_cluster(&output)?;
    for word in words {
        ensure!(
            live.iter().any(|line| line.contains(word)),
            "{word:?} is not in {live:#?}"
        );
    }
    let verdict = place.check(&text).await?;
    let problems = verdict["objects"][0]["problems"]
        .as_array()
        .with_context(|| format!("check says {verdict}"))?;
    let text = |problem: &Value| problem["message"].as_str().unwrap_or_default().to_owned();
    let offline: Vec<String> = problems.iter().map(text).collect();
    ensure!(
        offline == live,
        "check says {offline:#?}, the cluster {live:#?}"
    );
    let places: Vec<_> = problems
        .iter()
        .map(|problem| (problem["line"].as_u64(), problem["column"].as_u64()))
        .collect();
    ensure!(
        places.contains(&(Some(*line), Some(*column))),
        "check points at {places:?}, not at {line}:{column}"
    );
    Ok(())
}

#[tokio::test]
async fn several_problems_are_told_in_one_message() -> anyhow::Result<()> {
    in_place("several", "enforce", async |place| {
        let text = manifest(
            "Policy",
            "  rules:\n  - use: nothing-like-it\n  - {use: job-without-deadline, parameters: {a: 1, b: 2}}\n  - {use: job-without-deadline}",
        );
        let output = place.feed(User::Admin, "create -f -", &text).await?;
        let message = answers::refused(&output)?;
        ensure!(
            message.starts_with(&format!(
                "policy/a in namespace {} cannot work: 4 problems\n",
                place.namespace
            )),
            "{message}"
        );
        ensure!(answers::lines(message).len() == 4, "{message}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_selector_that_matches_nothing_only_warns() -> anyhow::Result<()> {
    in_place("nothing", "enforce", async |place| {
        let in_namespace = format!("in namespace {} yet", place.namespace);
        for (kind, spec, words) in [
            (
                "Gate",
                "  components: {names: [nobody]}",
                "spec.components: selects no workload ",
            ),
            (
                "RolloutPlan",
                "  components: {selector: {matchLabels: {app: nobody}}}",
                "spec.components: selects no workload ",
            ),
            (
                "Gate",
                "  components: {}\n  before: {probes: [{name: nobody}]}",
                "spec.before.probes[0]: there is no probe nobody ",
            ),
            (
                "RolloutPlan",
                "  components: {}\n  during: {probes: [{selector: {matchLabels: {a: b}}}]}",
                "spec.during.probes[0]: no probe has these labels ",
            ),
        ] {
            let output = place
                .feed(
                    User::Admin,
                    "create --dry-run=server -f -",
                    &manifest(kind, spec),
                )
                .await?;
            let warned = answers::warnings(&output);
            ensure!(
                output.succeeded()
                    && warned
                        .iter()
                        .any(|line| line.starts_with(words) && line.contains(&in_namespace)),
                "{output:?}"
            );
        }
        let output = place
            .feed(
                User::Admin,
                "create --dry-run=server -f -",
                &manifest(
                    "Policy",
                    "  match: {namespaces: {matchLabels: {team: nobody}}}\n  rules: [{use: job-without-deadline}]",
                ),
            )
            .await?;
        ensure!(
            output.succeeded()
                && answers::warnings(&output)
                    .iter()
                    .any(|line| line.starts_with("spec.match.namespaces: selects no namespace yet")),
            "{output:?}"
        );
        Ok(())
    })
    .await
}
