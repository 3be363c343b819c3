//! Whether the cluster judges by the rules that a pipeline knows: every ready replica of the webhook is asked, and none is passed over.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{
    Plane, PlaneOptions, User,
    installation::{FIRST_REPLICA, InstallOptions, Installation, NAMESPACE},
    plane::{Output, wait_for},
};

fn policy(rule: &str) -> String {
    format!(
        "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {{name: folder}}\nspec: {{rules: [{{use: {rule}}}]}}\n"
    )
}

/// Passes every rule.
const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n";

#[tokio::test]
async fn every_replica_must_say_that_it_judges_by_the_same_policies() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = asked(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn asked(plane: &Plane) -> anyhow::Result<()> {
    let folder = |name: &str, rule: &str| {
        let path = plane.folder().join(name);
        fs::create_dir_all(&path)?;
        fs::write(path.join("policy.yaml"), policy(rule))?;
        anyhow::Ok(path)
    };
    let ours = folder("ours", "cronjob-without-deadline")?;
    let others = folder("others", "cronjob-allows-overlap")?;
    let options = InstallOptions {
        policies: Some(ours.clone()),
        ..InstallOptions::default()
    };
    let sluice = Installation::install_with(plane, &options).await?;
    // only the folder judges
    let delete = ["delete", "policies.sluice.dev", "-A", "--all"];
    plane.kubectl(User::Admin, delete, None).await?.ok()?;
    let told = wait_for("the folder alone to judge", || async {
        let told = sluice.webhook_policies().await?;
        Ok((told["policies"] == 1).then_some(told))
    })
    .await?;
    let enforced = told["digest"].as_str().context("a digest")?;
    let manifest = plane.folder().join("config-map.yaml");
    fs::write(&manifest, CONFIG_MAP)?;
    let manifest = text(&manifest)?;

    let check = async |user, policies: &Path| {
        let policies = text(policies)?;
        let line = [
            "check",
            manifest,
            "--expect-server-digest",
            "--policies",
            policies,
        ];
        sluice.sluice(plane, user, &line).await
    };
    let server = async || {
        let line = ["policy", "digest", "--server", "-o", "json"];
        sluice.sluice(plane, User::Admin, &line).await
    };

    let output = check(User::Admin, &ours).await?;
    says(&output, 0, "server: 1 ready replica of the webhook judges")?;
    let output = check(User::Admin, &others).await?;
    says(
        &output,
        1,
        &format!("replica {FIRST_REPLICA} enforces policy set {enforced}, not "),
    )?;
    let output = server().await?;
    let answer: Value =
        serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
    let expected =
        json!({"name": FIRST_REPLICA, "standing": "Ready", "digest": enforced, "policies": 1});
    ensure!(answer["replicas"] == json!([expected]), "{answer}");

    // a second one that judges by the same, and one that does not
    let same = sluice
        .another_webhook(plane, "sluice-webhook-b", &ours)
        .await?;
    says(
        &check(User::Admin, &ours).await?,
        0,
        "server: 2 ready replicas",
    )?;
    let different = sluice
        .another_webhook(plane, "sluice-webhook-c", &others)
        .await?;
    let output = check(User::Admin, &ours).await?;
    let theirs = wait_for("the digest of the other folder", || async {
        let answer: Value = serde_json::from_str(&server().await?.stdout)?;
        let third = answer["replicas"][2]["digest"].as_str();
        Ok(third
            .filter(|digest| *digest != enforced)
            .map(str::to_owned))
    })
    .await?;
    says(
        &output,
        1,
        &format!("replica sluice-webhook-c enforces policy set {theirs}, not {enforced}"),
    )?;
    ensure!(!output.stdout.contains("sluice-webhook-b"), "{output:?}");
    ensure!(server().await?.code == Some(1), "two digests are one");

    // its folder is brought into line
    fs::write(
        others.join("policy.yaml"),
        policy("cronjob-without-deadline"),
    )?;
    wait_for("three replicas with one digest", || async {
        let output = check(User::Admin, &ours).await?;
        Ok(
            (output.code == Some(0) && output.stdout.contains("server: 3 ready replicas"))
                .then_some(()),
        )
    })
    .await?;

    // gone without a word: nobody can tell until the cluster says that it is not asked any more
    drop(different);
    let output = check(User::Admin, &ours).await?;
    says(&output, 2, "replica sluice-webhook-c says nothing")?;
    endpoints(plane, &[FIRST_REPLICA, "sluice-webhook-b"]).await?;
    says(
        &check(User::Admin, &ours).await?,
        0,
        "server: 2 ready replicas",
    )?;
    // one that the API server may ask and that never said a word
    endpoints(plane, &[FIRST_REPLICA, "sluice-webhook-d"]).await?;
    let output = check(User::Admin, &ours).await?;
    says(&output, 2, "replica sluice-webhook-d says nothing")?;
    ensure!(
        !output.stdout.contains("sluice-webhook-b"),
        "asked nothing, and counted: {output:?}"
    );
    drop(same);

    // whose right it is
    endpoints(plane, &[FIRST_REPLICA]).await?;
    let output = check(User::Developer, &ours).await?;
    says(&output, 2, "the role sluice-pipeline may")?;
    let user = format!("--user={}", User::Developer.name());
    let bind = [
        "-n",
        NAMESPACE,
        "create",
        "rolebinding",
        "ci",
        "--clusterrole=sluice-pipeline",
        &user,
    ];
    plane.kubectl(User::Admin, bind, None).await?.ok()?;
    wait_for("the right to ask", || async {
        Ok((check(User::Developer, &ours).await?.code == Some(0)).then_some(()))
    })
    .await?;
    crate::rights::never_forbidden(plane)
}

/// Endpoints of the webhook's Service, as the endpoints controller would write them for these pods.
async fn endpoints(plane: &Plane, pods: &[&str]) -> anyhow::Result<()> {
    let endpoints: Vec<Value> = pods
        .iter()
        .enumerate()
        .map(|(place, pod)| {
            json!({"addresses": [format!("10.9.9.{}", place + 1)], "conditions": {"ready": true},
                "targetRef": {"kind": "Pod", "name": pod, "namespace": NAMESPACE}})
        })
        .collect();
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "sluice-webhook", "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": "sluice-webhook"}},
        "endpoints": endpoints, "ports": [{"name": "https", "port": 9443, "protocol": "TCP"}],
    });
    plane
        .kubectl(User::Admin, ["apply", "-f", "-"], Some(&slice.to_string()))
        .await?
        .ok()
        .map(drop)
}

fn says(output: &Output, code: i32, words: &str) -> anyhow::Result<()> {
    let said = format!("{}{}", output.stdout, output.stderr);
    ensure!(
        output.code == Some(code) && said.contains(words),
        "expected {code} and {words:?}: {output:?}"
    );
    Ok(())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}
