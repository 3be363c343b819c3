//! The alerts, by Prometheus' own tools and against the metrics that the programs really have.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, ensure};
use serde_json::Value;
use sluice_e2e::{helm, installed_plane};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/alerts"))
}

#[tokio::test]
async fn every_alert_fires_when_it_should_and_only_then() -> anyhow::Result<()> {
    let said = helm::promtool(folder(), &["check", "rules", "../../manifests/alerts.yaml"])
        .await?
        .ok()?;
    ensure!(said.contains("SUCCESS"), "{said}");
    let output = helm::promtool(folder(), &["test", "rules", "alerts.test.yaml"]).await?;
    ensure!(output.code == Some(0), "{}{}", output.stdout, output.stderr);
    // none is left out
    let tests = std::fs::read_to_string(folder().join("alerts.test.yaml"))?;
    for rule in rules()? {
        let name = rule["alert"].as_str().context("a name")?;
        ensure!(
            tests.contains(&format!(
                "ALERTS{{alertname=\"{name}\",alertstate=\"firing\",severity="
            )),
            "{name} is not tested"
        );
        for what in ["summary", "description", "runbook"] {
            let text = rule["annotations"][what].as_str().unwrap_or_default();
            ensure!(text.len() > 20, "{name} has no {what}");
        }
    }
    Ok(())
}

fn rules() -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(folder().join("../../manifests/alerts.yaml"))?;
    let file: Value = serde_saphyr::from_str(&text)?;
    let rules = file["groups"][0]["rules"].as_array().context("rules")?;
    Ok(rules.clone())
}

/// Where metrics are registered.
const SOURCES: [&str; 2] = [
    include_str!("../../../../webhook/src/metrics.rs"),
    include_str!("../../../../rollout-controller/src/metrics.rs"),
];

/// Every word of a text that is a metric of ours.
fn metrics(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_')
        .filter(|word| word.starts_with("sluice_"))
}

#[tokio::test]
async fn alerts_ask_for_metrics_that_are_there() -> anyhow::Result<()> {
    let installed = installed_plane().await?;
    let pages = [
        installed.sluice.webhook_metrics().await?,
        installed.sluice.controller_metrics().await?,
    ];
    let mut known = BTreeSet::new();
    for line in pages.iter().flat_map(|page| page.lines()) {
        let Some(kind) = line.strip_prefix("# TYPE ") else {
            continue;
        };
        let (name, kind) = kind.split_once(' ').context("a type")?;
        known.insert(match kind {
            "counter" => format!("{name}_total"),
            _ => name.to_owned(),
        });
    }
    let mut asked = 0;
    for rule in rules()? {
        let expression = rule["expr"].as_str().context("an expression")?;
        for metric in metrics(expression) {
            // one with labels is shown from its first event on
            let name = metric
                .trim_start_matches("sluice_")
                .trim_end_matches("_total");
            let registered = SOURCES
                .iter()
                .any(|source| source.contains(&format!("\"{name}\"")));
            ensure!(
                known.contains(metric) || registered,
                "{}: there is no {metric}; there are {known:?}",
                rule["alert"]
            );
            asked += 1;
        }
    }
    ensure!(asked > 15, "{asked} metrics");
    // and those that a replica says of itself say that it is well
    for line in ["sluice_webhook_ready 1", "sluice_heartbeat_fresh 1"] {
        ensure!(pages[0].lines().any(|found| found == line), "no {line}");
    }
    Ok(())
}
