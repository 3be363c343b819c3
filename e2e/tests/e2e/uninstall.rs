//! `sluice uninstall` gives every workload back and leaves nothing; `sluice install` may be done twice, and again afterwards.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::Value;
use sluice_e2e::{
    Plane, PlaneOptions, User, installation::Installation, plane::wait_for, scenario::Shop,
};

/// Every kind of object that an installation, or Sluice at work, makes.
const KINDS: &str = "namespaces,crds,clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,\
mutatingwebhookconfigurations,validatingwebhookconfigurations,flowschemas,roles,rolebindings,serviceaccounts,configmaps,secrets,leases,deployments,replicasets,services";

#[tokio::test]
async fn uninstall_leaves_nothing_and_install_works_again() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = come_and_go(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn come_and_go(plane: &Plane) -> anyhow::Result<()> {
    let before = everything(plane).await?;
    let sluice = Installation::install(plane, None).await?;
    ensure!(
        traces(plane).await? != Vec::<String>::new(),
        "nothing is installed"
    );

    // a second time changes nothing
    let objects = versions(plane).await?;
    let config = plane.folder().join("sluice.yaml");
    let config = config.to_str().context("a path in UTF-8")?;
    let install = ["install", "--without-workloads", "--config", config];
    sluice.sluice(plane, User::Admin, &install).await?.ok()?;
    let again = versions(plane).await?;
    ensure!(
        objects == again,
        "a second install wrote: {:?}",
        differences(&objects, &again)
    );

    // one workload with a release behind it, one that was rolled back, one in the middle
    let done = Shop::new(plane, "done", 3).await?;
    let undone = Shop::new(plane, "undone", 3).await?;
    let middle = Shop::new(plane, "middle", 3).await?;
    for shop in [&done, &undone, &middle] {
        let bake = if shop.namespace == middle.namespace {
            "1h"
        } else {
            "100ms"
        };
        shop.open("v1", &["1", "100%"], bake).await?;
    }
    done.apply(&done.checkout("v2")).await?;
    undone.apply(&undone.checkout("v2--errors-100")).await?;
    middle.apply(&middle.checkout("v2")).await?;
    done.release_in("Succeeded").await?;
    undone.release_in("RolledBack").await?;
    let release = middle.release_in("Baking").await?;

    let uninstall = ["uninstall", "--yes"];
    let output = sluice.sluice(plane, User::Admin, &uninstall).await?;
    let name = release["metadata"]["name"].as_str().unwrap_or_default();
    ensure!(
        output.code == Some(1)
            && output.stderr.contains("a release is under way")
            && output.stderr.contains(name),
        "{output:?}"
    );
    ensure!(
        middle.release_in("Baking").await? == release,
        "it was touched"
    );

    let output = sluice
        .sluice(
            plane,
            User::Admin,
            &["uninstall", "--yes", "--abandon-releases"],
        )
        .await?;
    ensure!(output.code == Some(0), "{output:?}");
    sluice.kill_controller();
    sluice.kill_webhook();
    let left = traces(plane).await?;
    ensure!(left.is_empty(), "left behind: {}", left.join(", "));
    let after = everything(plane).await?;
    for name in before.keys() {
        ensure!(
            after.contains_key(name),
            "{name} was there before and is gone"
        );
    }

    // what runs is the user's, to the byte
    for (shop, tag) in [(&done, "v2"), (&undone, "v1"), (&middle, "v2")] {
        shop.runs_everywhere(tag).await?;
        let plain = plane.namespace("plain").await?;
        let manifest = shop
            .checkout(tag)
            .to_string()
            .replace(&shop.namespace, &plain);
        plane
            .kubectl(User::Admin, ["apply", "-f", "-"], Some(&manifest))
            .await?
            .ok()?;
        let spec = async |namespace: &str| {
            let line = [
                "-n",
                namespace,
                "get",
                "deployment",
                "checkout",
                "-o",
                "jsonpath={.spec}",
            ];
            plane.kubectl(User::Admin, line, None).await?.ok()
        };
        let (ours, theirs) = (spec(&shop.namespace).await?, spec(&plain).await?);
        ensure!(
            ours == theirs,
            "{}: the spec is\n{ours}\nthe user's is\n{theirs}",
            shop.namespace
        );
    }

    // and it can come back
    let sluice = Installation::install(plane, None).await?;
    middle.apply(&middle.canary_probe()).await?;
    middle.apply(&middle.plan(&["1", "100%"], "100ms")).await?;
    middle.accepted("rolloutplans", "checkout").await?;
    middle.apply(&middle.checkout("v3")).await?;
    wait_for("a release of the new installation", || async {
        Ok((!middle.releases().await?.is_empty()).then_some(()))
    })
    .await?;
    middle.release_in("Succeeded").await?;
    middle.runs_everywhere("v3").await?;

    // and go again, told to wait for what is under way: not as long as it takes, then as long as it takes
    middle.apply(&middle.plan(&["1", "100%"], "3s")).await?;
    middle.accepted("rolloutplans", "checkout").await?;
    middle.apply(&middle.checkout("v4")).await?;
    middle.recorded(2).await?;
    let line = ["uninstall", "--yes", "--wait-for-releases"];
    let wait = async |span| {
        let line = [&line[..], &[span]].concat();
        sluice.sluice(plane, User::Admin, &line).await
    };
    let output = wait("100ms").await?;
    ensure!(
        output.code == Some(1) && output.stderr.contains("Nothing was removed"),
        "{output:?}"
    );
    let output = wait("2m").await?;
    ensure!(
        output.code == Some(0) && output.stdout.contains("waiting for"),
        "{output:?}"
    );
    let left = traces(plane).await?;
    ensure!(left.is_empty(), "left behind: {}", left.join(", "));
    middle.runs_everywhere("v4").await?;
    let pinned = middle.deployment().await?["spec"]["minReadySeconds"].clone();
    ensure!(pinned.is_null(), "still pinned: {pinned}");
    drop(sluice);
    Ok(())
}

/// Every object of the kinds above, as JSON by its name.
pub async fn everything(plane: &Plane) -> anyhow::Result<BTreeMap<String, Value>> {
    let text = plane
        .kubectl(User::Admin, ["get", KINDS, "-A", "-o", "json"], None)
        .await?
        .ok()?;
    let list: Value = serde_json::from_str(&text)?;
    let named = |object: &Value| {
        let metadata = &object["metadata"];
        format!(
            "{} {}/{}",
            object["kind"].as_str().unwrap_or_default(),
            metadata["namespace"].as_str().unwrap_or_default(),
            metadata["name"].as_str().unwrap_or_default()
        )
    };
    Ok(list["items"]
        .as_array()
        .context("a list")?
        .iter()
        .map(|object| (named(object), object.clone()))
        .collect())
}

/// Whatever names Sluice: an object of its own, or a label, annotation, field owner or value on another's.
pub async fn traces(plane: &Plane) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for (name, object) in everything(plane).await? {
        let mut object = object;
        // the label that people set stays theirs, and native controllers copy annotations of a release into ReplicaSets, where nobody reads them
        if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
            labels.remove("sluice.dev/mode");
        }
        if object["kind"] == "Namespace" && object["metadata"]["name"] != "sluice-system" {
            continue;
        }
        if object["kind"] == "ReplicaSet" {
            continue;
        }
        if object.to_string().contains("sluice") {
            found.push(name);
        }
    }
    Ok(found)
}

/// The generation or version of each object of the installation that only an install writes.
async fn versions(plane: &Plane) -> anyhow::Result<BTreeMap<String, String>> {
    Ok(everything(plane)
        .await?
        .into_iter()
        .filter(|(name, object)| {
            object.to_string().contains("sluice")
                && ![
                    "Lease ",
                    "Secret ",
                    "CustomResourceDefinition ",
                    "ValidatingAdmissionPolicy ",
                ]
                .iter()
                .any(|kind| name.starts_with(kind))
        })
        .map(|(name, object)| {
            let version = object["metadata"]["resourceVersion"].to_string();
            (name, version)
        })
        .collect())
}

fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    after
        .iter()
        .filter(|(name, version)| before.get(*name) != Some(*version))
        .map(|(name, _)| name.clone())
        .collect()
}
