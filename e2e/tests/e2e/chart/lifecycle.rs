//! The chart on a control plane: installed, upgraded, rolled back, uninstalled; and what refuses to go together with it. The nodes are fake, so the pods that
//! Helm starts are too: Sluice's programs run beside them, and what the Job before an uninstall runs is run here, with exactly the rights of that Job.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::Value;
use sluice_e2e::{
    Plane, PlaneOptions, User,
    helm::{CHART, Helm},
    installation::{InstallOptions, Installation, NAMESPACE},
    plane::wait_for,
    programs::own,
    scenario::Shop,
};
use tokio::process::Command;

use super::documents;
use crate::uninstall::{everything, traces};

#[tokio::test]
async fn a_release_of_helm_comes_changes_and_goes() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let helm = Helm::ready().await?;
    let outcome = async {
        refused_before_anything_is_applied(&plane, &helm).await?;
        come_and_go(&plane, &helm).await?;
        left_alone(&plane, &helm).await
    }
    .await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn refused_before_anything_is_applied(plane: &Plane, helm: &Helm) -> anyhow::Result<()> {
    let before = everything(plane).await?;
    for (arguments, named) in [
        (&["--set", "webhook.replica=3"][..], "replica"),
        (
            &["--namespace", "sluice-system"][..],
            "cannot lie in namespace",
        ),
    ] {
        let line = [&["install", "sluice", CHART][..], arguments].concat();
        let said = helm.on(plane, &line).await?.refused()?;
        ensure!(said.contains(named), "{said}");
    }
    // Helm applies definitions before it looks at values: they are inert, and all there is
    let after = everything(plane).await?;
    let new: Vec<&String> = after
        .keys()
        .filter(|name| !before.contains_key(*name))
        .filter(|name| !name.starts_with("CustomResourceDefinition "))
        .collect();
    ensure!(new.is_empty(), "{new:?}");
    Ok(())
}

/// Templates of the two Deployments, and how many pods are ready.
async fn programs(plane: &Plane) -> anyhow::Result<Vec<(Value, u64)>> {
    let line = ["-n", NAMESPACE, "get", "deployments", "-o", "json"];
    let text = plane.kubectl(User::Admin, line, None).await?.ok()?;
    let list: Value = serde_json::from_str(&text)?;
    let items = list["items"].as_array().context("a list")?;
    ensure!(items.len() == 2, "{} Deployments", items.len());
    Ok(items
        .iter()
        .map(|item| {
            let ready = item["status"]["readyReplicas"].as_u64().unwrap_or_default();
            (item["spec"]["template"].clone(), ready)
        })
        .collect())
}

/// The names of Sluice's pods.
async fn pods(plane: &Plane) -> anyhow::Result<Vec<String>> {
    let line = [
        "-n",
        NAMESPACE,
        "get",
        "pods",
        "-o",
        "name",
        "--field-selector=status.phase=Running",
    ];
    let text = plane.kubectl(User::Admin, line, None).await?.ok()?;
    Ok(text.lines().map(str::to_owned).collect())
}

async fn come_and_go(plane: &Plane, helm: &Helm) -> anyhow::Result<()> {
    helm.on(
        plane,
        &["install", "sluice", CHART, "--wait", "--timeout", "60s"],
    )
    .await?
    .ok()?;
    let first = programs(plane).await?;
    ensure!(first.iter().all(|(_, ready)| *ready == 2), "{first:?}");
    let options = InstallOptions {
        installed: true,
        ..InstallOptions::default()
    };
    let sluice = Installation::install_with(plane, &options).await?;
    others_refuse(plane, helm, &sluice).await?;

    // a release in the middle goes on over all of this
    let shop = Shop::new(plane, "middle", 3).await?;
    shop.open("v1", &["1", "100%"], "1h").await?;
    shop.apply(&shop.checkout("v2")).await?;
    shop.release_in("Baking").await?;

    let old = pods(plane).await?;
    let upgrade = [
        "upgrade",
        "sluice",
        CHART,
        "--reuse-values",
        "--wait",
        "--timeout",
        "60s",
        "--set",
    ];
    let line = [&upgrade[..], &["config.exceptions.longest=720h"]].concat();
    helm.on(plane, &line).await?.ok()?;
    let second = programs(plane).await?;
    ensure!(second.iter().all(|(_, ready)| *ready == 2), "{second:?}");
    let new = pods(plane).await?;
    ensure!(
        new.len() == 4 && new.iter().all(|pod| !old.contains(pod)),
        "a changed configuration did not roll the pods: {old:?}, {new:?}"
    );

    helm.on(
        plane,
        &["rollback", "sluice", "1", "--wait", "--timeout", "60s"],
    )
    .await?
    .ok()?;
    let templates = |programs: &[(Value, u64)]| {
        programs
            .iter()
            .map(|(template, _)| template.clone())
            .collect::<Vec<_>>()
    };
    let back = programs(plane).await?;
    ensure!(
        templates(&back) == templates(&first) && templates(&second) != templates(&first),
        "{back:?}"
    );

    // an image that cannot be pulled: the upgrade fails, the pods that work go on, and Helm takes it back
    let broken = [
        "upgrade",
        "sluice",
        CHART,
        "--wait",
        "--timeout",
        "8s",
        "--rollback-on-failure",
        "--set",
        "images.webhook.tag=0.1.0--image-pull-error",
    ];
    let said = helm.on(plane, &broken).await?.refused()?;
    ensure!(said.contains("rolled back"), "{said}");
    let after = programs(plane).await?;
    ensure!(templates(&after) == templates(&first), "{after:?}");
    ensure!(after.iter().all(|(_, ready)| *ready == 2), "{after:?}");

    other_definitions_are_refused(plane, helm).await?;
    before_an_uninstall(plane, helm, &shop).await?;

    // the Job of the fake node ends well without doing anything; what it does was done above
    helm.on(
        plane,
        &["uninstall", "sluice", "--wait", "--timeout", "90s"],
    )
    .await?
    .ok()?;
    sluice.kill_controller();
    sluice.kill_webhook();
    let left = traces(plane).await?;
    ensure!(
        left.len() == 6
            && left
                .iter()
                .all(|name| name.starts_with("CustomResourceDefinition ")),
        "left behind: {left:?}"
    );
    Ok(())
}

/// `sluice install`, `sluice uninstall` and a second release say whose installation this is, and change nothing.
async fn others_refuse(plane: &Plane, helm: &Helm, sluice: &Installation) -> anyhow::Result<()> {
    let before = versions(plane).await?;
    for (arguments, code) in [
        (&["install", "--without-workloads"][..], 1),
        (&["uninstall", "--yes"], 2),
    ] {
        let output = sluice.sluice(plane, User::Admin, arguments).await?;
        ensure!(
            output.code == Some(code)
                && output
                    .stderr
                    .contains("by the Helm release sluice in namespace default"),
            "{output:?}"
        );
    }
    let said = helm
        .on(
            plane,
            &["install", "another", CHART, "--namespace", "kube-public"],
        )
        .await?
        .refused()?;
    ensure!(
        said.contains("installed by the Helm release default/sluice"),
        "{said}"
    );
    let after = versions(plane).await?;
    ensure!(before == after, "something was written");
    Ok(())
}

/// The version of every object that nobody but an installation writes.
async fn versions(plane: &Plane) -> anyhow::Result<BTreeMap<String, String>> {
    let written_by_others = [
        "Lease ",
        "Deployment ",
        "ReplicaSet ",
        "CustomResourceDefinition ",
        "ValidatingAdmissionPolicy ",
    ];
    Ok(everything(plane)
        .await?
        .into_iter()
        .filter(|(name, _)| !written_by_others.iter().any(|kind| name.starts_with(kind)))
        .map(|(name, object)| (name, object["metadata"]["resourceVersion"].to_string()))
        .collect())
}

/// Definitions of another version stop an upgrade, and the command it names mends that.
async fn other_definitions_are_refused(plane: &Plane, helm: &Helm) -> anyhow::Result<()> {
    let name = "crd/gates.sluice.dev";
    let line = [
        "annotate",
        name,
        "--overwrite",
        "sluice.dev/definition-digest=0",
    ];
    plane.kubectl(User::Admin, line, None).await?.ok()?;
    let upgrade = ["upgrade", "sluice", CHART, "--reuse-values"];
    let said = helm.on(plane, &upgrade).await?.refused()?;
    ensure!(
        said.contains("gates.sluice.dev") && said.contains("helm show crds"),
        "{said}"
    );
    let crds = helm.alone(&["show", "crds", CHART]).await?.ok()?;
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    plane.kubectl(User::Admin, apply, Some(&crds)).await?.ok()?;
    helm.on(plane, &upgrade).await?.ok()?;
    Ok(())
}

/// What the Job before an uninstall runs, as the Job's ServiceAccount with the rights the chart gives it.
async fn before_an_uninstall(plane: &Plane, helm: &Helm, shop: &Shop<'_>) -> anyhow::Result<()> {
    let hooks = helm.on(plane, &["get", "hooks", "sluice"]).await?.ok()?;
    let mut arguments = Vec::new();
    for hook in documents(&hooks)? {
        if hook["kind"] == "Job" {
            let container = &hook["spec"]["template"]["spec"]["containers"][0];
            arguments = serde_json::from_value(container["args"].clone())?;
            continue;
        }
        let text = hook.to_string();
        plane
            .kubectl(User::Admin, ["apply", "-f", "-"], Some(&text))
            .await?
            .ok()?;
    }
    let arguments: Vec<String> = arguments;
    let kubeconfig = plane
        .service_account_kubeconfig(NAMESPACE, "sluice-uninstall")
        .await?;
    let run = async |further: &[&str]| {
        let mut command = Command::new(own("sluice")?);
        command
            .args(&arguments)
            .args(further)
            .env("KUBECONFIG", &kubeconfig)
            .kill_on_drop(true);
        sluice_e2e::plane::run(command, None).await
    };
    let output = run(&[]).await?;
    ensure!(
        output.code == Some(1) && output.stderr.contains("a release is under way"),
        "{output:?}"
    );
    shop.release_in("Baking").await?;
    let output = run(&["--abandon-releases"]).await?;
    ensure!(output.code == Some(0), "{output:?}");
    shop.runs_everywhere("v2").await?;
    let line = ["get", "deployment", "checkout", "-o", "json"].join(" ");
    let live = shop.kubectl(User::Admin, &line).await?.ok()?;
    let live: Value = serde_json::from_str(&live)?;
    ensure!(
        live["spec"]["minReadySeconds"].is_null()
            && !live["metadata"]
                .to_string()
                .contains("sluice.dev/originals"),
        "{live}"
    );
    Ok(())
}

/// Without the Job, too, nothing is left that refuses: the webhook configurations belong to the namespace, and the namespace to the release.
async fn left_alone(plane: &Plane, helm: &Helm) -> anyhow::Result<()> {
    // over the definitions that the first release left
    helm.on(
        plane,
        &["install", "again", CHART, "--namespace", "kube-public"],
    )
    .await?
    .ok()?;
    let options = InstallOptions {
        installed: true,
        ..InstallOptions::default()
    };
    let sluice = Installation::install_with(plane, &options).await?;
    sluice.kill_controller();
    sluice.kill_webhook();
    helm.on(
        plane,
        &[
            "uninstall",
            "again",
            "--namespace",
            "kube-public",
            "--no-hooks",
        ],
    )
    .await?
    .ok()?;
    wait_for("the webhook configurations to go", || async {
        let left = traces(plane).await?;
        let only_definitions = left
            .iter()
            .all(|name| name.starts_with("CustomResourceDefinition "));
        Ok(only_definitions.then_some(()))
    })
    .await?;
    // nobody asks a webhook that is gone
    let shop = Shop::new(plane, "free", 1).await?;
    shop.apply(&shop.checkout("v1")).await?;
    shop.runs_everywhere("v1").await?;

    let line = ["delete", "crd", "-l", "app.kubernetes.io/part-of=sluice"];
    plane.kubectl(User::Admin, line, None).await?.ok()?;
    let left = traces(plane).await?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    Ok(())
}
