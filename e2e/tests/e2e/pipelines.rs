//! What a pipeline is told in each phase of a release: every line of the table in `docs/pipelines.md`.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, bail, ensure};
use serde_json::json;
use sluice_e2e::{Installed, User, installed_plane, plane::wait_for, scenario::Shop};

/// One line of the table.
struct Line {
    phase: String,
    command: String,
    code: i32,
    says: String,
}

/// The table of the page.
fn table() -> anyhow::Result<Vec<Line>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pipelines.md");
    let text = std::fs::read_to_string(&page)?;
    let (_, table) = text
        .split_once("| phase of the release |")
        .context("the page has no table of phases")?;
    table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect();
            let [phase, command, code, says] = cells[..] else {
                bail!("not four cells: {line}");
            };
            Ok(Line {
                phase: phase.to_owned(),
                command: command.to_owned(),
                code: code.parse().with_context(|| line.to_owned())?,
                says: says.to_owned(),
            })
        })
        .collect()
}

struct Pipeline {
    installed: &'static Installed,
    shop: Shop<'static>,
    lines: Vec<Line>,
    seen: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Pipeline {
    /// Carries out every line of a phase in which the release is now.
    async fn ask_in(&mut self, phase: &str) -> anyhow::Result<()> {
        self.seen.insert(phase.to_owned());
        for line in self.lines.iter().filter(|line| line.phase == phase) {
            let arguments: Vec<&str> = ["-n", &self.shop.namespace]
                .into_iter()
                .chain(line.command.split_whitespace().skip(1))
                .collect();
            let output = if line.command.starts_with("sluice ") {
                self.installed
                    .sluice
                    .sluice(&self.installed.plane, User::Developer, &arguments)
                    .await?
            } else {
                self.installed
                    .plane
                    .kubectl(User::Developer, &arguments, None)
                    .await?
            };
            let said = format!("{}{}", output.stdout, output.stderr);
            if output.code != Some(line.code) || !said.contains(&line.says) {
                self.wrong.push(format!(
                    "{phase}: `{}` exits with {:?} and says:\n{said}",
                    line.command, output.code
                ));
            }
        }
        // nothing moved on meanwhile
        self.shop.release_in(phase).await.map(drop)
    }

    async fn patch_plan(&self, bake: &str) -> anyhow::Result<()> {
        let patch = format!(
            r#"patch rolloutplans.sluice.dev checkout --type=merge -p {{"spec":{{"bake":"{bake}","progressDeadline":"10m"}}}}"#
        );
        self.shop.kubectl(User::Admin, &patch).await?.ok().map(drop)
    }

    /// Applies a version and waits until its release is recorded as the `number`th.
    async fn apply(&self, tag: &str, number: usize) -> anyhow::Result<()> {
        self.shop.apply(&self.shop.checkout(tag)).await?;
        wait_for("the record of the release", || async {
            Ok((self.shop.releases().await?.len() == number).then_some(()))
        })
        .await
    }
}

#[tokio::test]
async fn every_line_of_the_page_about_pipelines_holds() -> anyhow::Result<()> {
    let installed = installed_plane().await?;
    let outcome = every_line(installed).await;
    if outcome.is_err() {
        installed.plane.keep();
    }
    outcome
}

async fn every_line(installed: &'static Installed) -> anyhow::Result<()> {
    let lines = table()?;
    ensure!(lines.len() >= 12, "only {} lines", lines.len());
    let shop = Shop::new(&installed.plane, "pipelines", 3).await?;
    let mut pipeline = Pipeline {
        installed,
        shop,
        lines,
        seen: BTreeSet::new(),
        wrong: Vec::new(),
    };
    let shop = &pipeline.shop;
    shop.open("v1", &["1", "100%"], "1h").await?;
    pipeline.patch_plan("1h").await?;
    let gate = json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Gate",
        "metadata": {"name": "checkout", "namespace": shop.namespace},
        "spec": {"components": {"kinds": ["Deployment"], "names": ["checkout"]}, "whenClosed": "Hold", "before": {"probes": [{"name": "nobody"}]}}});
    shop.apply(&gate).await?;
    shop.accepted("gates", "checkout").await?;
    pipeline.apply("v2", 1).await?;
    pipeline.shop.release_in("Probing").await?;
    pipeline.ask_in("Probing").await?;

    let delete = "delete gates.sluice.dev checkout";
    pipeline.shop.kubectl(User::Admin, delete).await?.ok()?;
    pipeline.shop.release_in("Baking").await?;
    pipeline.ask_in("Baking").await?;
    let pause = "rollout pause deployment/checkout";
    pipeline.shop.kubectl(User::Developer, pause).await?.ok()?;
    pipeline.shop.release_in("Paused").await?;
    pipeline.ask_in("Paused").await?;
    let resume = "rollout resume deployment/checkout";
    pipeline.shop.kubectl(User::Developer, resume).await?.ok()?;
    pipeline.patch_plan("100ms").await?;
    pipeline.shop.release_in("Succeeded").await?;
    pipeline.shop.runs_everywhere("v2").await?;
    pipeline.ask_in("Succeeded").await?;

    pipeline.apply("v3--never-ready", 2).await?;
    pipeline.shop.release_in("Batch").await?;
    wait_for("the pod of the first batch", || async {
        let status = pipeline.shop.deployment().await?["status"].clone();
        Ok((status["updatedReplicas"] == 1).then_some(()))
    })
    .await?;
    pipeline.ask_in("Batch").await?;
    let abort = [
        "-n",
        &pipeline.shop.namespace,
        "release",
        "abort",
        "deployment/checkout",
    ];
    installed
        .sluice
        .sluice(&installed.plane, User::Developer, &abort)
        .await?
        .ok()?;
    pipeline.shop.release_in("RolledBack").await?;
    pipeline.shop.runs_everywhere("v2").await?;
    pipeline.ask_in("RolledBack").await?;

    ensure!(
        pipeline.wrong.is_empty(),
        "the page says otherwise:\n{}",
        pipeline.wrong.join("\n")
    );
    let told: BTreeSet<String> = pipeline
        .lines
        .iter()
        .map(|line| line.phase.clone())
        .collect();
    ensure!(
        told == pipeline.seen,
        "told of {told:?}, tried {:?}",
        pipeline.seen
    );
    Ok(())
}
