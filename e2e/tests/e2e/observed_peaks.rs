//! A memory limit against what was really seen in use: a real Prometheus scrapes the fake pods, the webhook knows their peaks, and knows nothing once it is silent.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{Installed, User, plane::wait_for};

use crate::answers::{refusal, warnings};

const MI: u64 = 1 << 20;

const POLICY: &str = "apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: peaks}
spec: {rules: [{use: memory-limit-near-peak, action: Deny}]}
";

/// A Deployment whose containers are seen to use so many Mi.
fn deployment(limit: &str, used: u64) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "checkout"}}, "template": {
            "metadata": {"labels": {"app": "checkout"}, "annotations": {"fake.sluice.test/memory-bytes": (used * MI).to_string()}},
            "spec": {"containers": [{"name": "main", "image": "registry.test/checkout:1",
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": limit}}}]},
        }},
    })
    .to_string()
}

#[tokio::test]
async fn a_limit_is_held_against_what_prometheus_has_seen() -> anyhow::Result<()> {
    // of its own: its Prometheus is stopped
    let installed = Installed::start().await?;
    let outcome = held(&installed).await;
    if outcome.is_err() {
        installed.plane.keep();
    }
    outcome
}

async fn held(installed: &Installed) -> anyhow::Result<()> {
    let plane = &installed.plane;
    let namespace = plane
        .namespace_with("peaks", &[("sluice.dev/mode", "enforce")])
        .await?;
    let feed = async |verb: &[&str], manifest: &str| {
        let mut line = vec!["-n", namespace.as_str()];
        line.extend(verb);
        line.extend(["-f", "-"]);
        plane.kubectl(User::Admin, line, Some(manifest)).await
    };
    feed(&["create"], POLICY).await?.ok()?;
    // never seen before: nobody can tell, and it goes in
    let output = wait_for("the policy to judge", || async {
        let output = feed(&["create", "--dry-run=server"], &deployment("900Mi", 480)).await?;
        Ok(warnings(&output)
            .iter()
            .any(|line| line.starts_with("SLU2102 "))
            .then_some(output))
    })
    .await?;
    ensure!(
        output.succeeded() && warnings(&output)[0].contains("cannot tell"),
        "{output:?}"
    );
    feed(&["create"], &deployment("900Mi", 480)).await?.ok()?;

    // 480Mi were seen: 500Mi are too near, 576Mi are not. On dry-run nothing that rests on facts denies
    let dry_run =
        async |limit: &str| feed(&["apply", "--dry-run=server"], &deployment(limit, 480)).await;
    let warned = async |words: &str| {
        wait_for(words, || async {
            let output = dry_run("500Mi").await?;
            let told = warnings(&output).join("\n");
            Ok((output.succeeded() && told.contains(words)).then_some(()))
        })
        .await
    };
    warned("480Mi were seen in use").await?;
    let output = feed(&["apply"], &deployment("500Mi", 480)).await?;
    let refused = refusal(&output)
        .with_context(|| format!("{output:?}"))?
        .to_owned();
    ensure!(
        refused.contains("500Mi, and 480Mi were seen in use (container main); passes: at least 576Mi, 1.2 times the peak"),
        "{refused}"
    );
    ensure!(dry_run("576Mi").await?.succeeded(), "it leaves room");

    // the same figures offline, from a file of facts; without it nobody can tell, and says why
    let file = |name: &str, text: &str| {
        let path = plane.folder().join(name);
        std::fs::write(&path, text)?;
        path.to_str().map(str::to_owned).context("a path in UTF-8")
    };
    let manifest = file("checkout.json", &deployment("500Mi", 480))?;
    let policy = file("peaks.yaml", POLICY)?;
    let facts = format!(
        "apiVersion: sluice.dev/v1alpha1\nkind: ObservedPeaks\nmetadata: {{name: p, namespace: {namespace}}}\nmemory:\n- {{kind: Deployment, name: checkout, container: main, peak: 480Mi}}\n"
    );
    let facts = file("facts.yaml", &facts)?;
    let line = [
        "-n",
        &namespace,
        "check",
        "-o",
        "json",
        &manifest,
        "--policies",
        &policy,
        "--facts",
        &facts,
    ];
    let output = installed.sluice.sluice(plane, User::Admin, &line).await?;
    let verdict: Value =
        serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
    let text = verdict["objects"][0]["findings"][0]["text"]
        .as_str()
        .unwrap_or_default();
    ensure!(
        refused.contains(text) && !text.is_empty(),
        "{text} is not in {refused}"
    );
    let line = [
        "-n",
        &namespace,
        "check",
        &manifest,
        "--policies",
        &policy,
        "--server",
    ];
    let output = installed.sluice.sluice(plane, User::Admin, &line).await?;
    ensure!(
        output.code == Some(0)
            && output.stdout.contains("unknown: SLU2102")
            && output
                .stderr
                .contains("observed peaks are not known: no API server has them"),
        "{output:?}"
    );

    // a server that hangs: what it said counts for three intervals, then nothing is known
    plane.prometheus().await?.pause()?;
    warned("no peak was observed, prometheus main: no answer within").await?;
    plane.prometheus().await?.resume()?;
    warned("480Mi were seen in use").await
}
