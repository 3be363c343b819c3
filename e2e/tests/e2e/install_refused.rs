//! `sluice install` where it must not: each reason is told before anything is changed. Over an older installation it says what it does.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{
    Plane, PlaneOptions, User,
    installation::own_programs,
    interception::Interception,
    plane::{self, Output, wait_for},
};

/// Every kind that an installation writes.
const KINDS: &str = "namespaces,crds,clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,\
flowschemas,roles,rolebindings,serviceaccounts,configmaps,deployments,services,poddisruptionbudgets";

#[tokio::test]
async fn what_stands_in_the_way_is_told_before_anything_is_changed() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = refused(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn refused(plane: &Plane) -> anyhow::Result<()> {
    let admin = plane.kubeconfig(User::Admin);
    // no rights at all
    let developer = plane.kubeconfig(User::Developer);
    let output = untouched(
        plane,
        &developer,
        "you may not: create clusterrolebindings.rbac.authorization.k8s.io",
    )
    .await?;
    ensure!(
        output
            .stderr
            .contains("patch customresourcedefinitions.apiextensions.k8s.io"),
        "{output:?}"
    );

    // every right but to grant rights
    let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "create", "patch"]}]);
    account(plane, "clerk", &rules).await?;
    let clerk = plane.service_account_kubeconfig("default", "clerk").await?;
    untouched(
        plane,
        &clerk,
        "attempting to grant RBAC permissions not currently held",
    )
    .await?;

    // a cluster that is too old, as far as this client can see
    let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]);
    account(plane, "keeper", &all).await?;
    let interception = Interception::start(plane).await?;
    let old = json!({"major": "1", "minor": "29+", "gitVersion": "v1.29.3-eks", "gitCommit": "", "gitTreeState": "", "buildDate": "",
        "goVersion": "", "compiler": "", "platform": ""});
    interception.answer("/version", &old);
    let url = interception.url();
    let through = plane
        .service_account_kubeconfig_at("default", "keeper", &url)
        .await?;
    untouched(
        plane,
        &through,
        "this is Kubernetes 1.29, and Sluice needs 1.30 or later",
    )
    .await?;

    // what is somebody else's, Helm's, or a second installation's
    let ours = json!({"app.kubernetes.io/part-of": "sluice"});
    let crd = |labels: &Value| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "gates.sluice.dev", "labels": labels},
            "spec": {"group": "sluice.dev", "scope": "Namespaced", "names": {"kind": "Gate", "plural": "gates"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]},
        })
    };
    let role = |metadata: Value| {
        let mut role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": []});
        role["metadata"]["name"] = json!("sluice-webhook");
        role
    };
    let namespace = |labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sluice-system", "labels": labels}});
    let elsewhere = plane.namespace("elsewhere").await?;
    let mut program: Value = serde_json::from_str(&crate::deployment(
        "sluice-controller",
        0,
        "registry.test/sluice:v1",
    ))?;
    program["metadata"]["labels"] = ours.clone();
    program["metadata"]["namespace"] = json!(elsewhere);
    let helm =
        json!({"meta.helm.sh/release-name": "gate", "meta.helm.sh/release-namespace": "ops"});
    let newer =
        json!({"app.kubernetes.io/part-of": "sluice", "app.kubernetes.io/version": "99.0.0"});
    for (what, object, words) in [
        (
            "a definition of our group",
            crd(&json!({})),
            "customresourcedefinition/gates.sluice.dev is there and not marked as Sluice's",
        ),
        (
            "a role of our name",
            role(json!({})),
            "clusterrole/sluice-webhook is there and not marked as Sluice's",
        ),
        (
            "Helm's role",
            role(json!({"labels": ours, "annotations": helm})),
            "helm upgrade gate CHART -n ops",
        ),
        (
            "a second installation",
            program,
            &format!("another installation of Sluice lives in namespace {elsewhere}"),
        ),
        (
            "a newer installation",
            namespace(newer),
            "version 99.0.0 is installed, and this is 0.1.0",
        ),
    ] {
        let text = object.to_string();
        plane
            .kubectl(User::Admin, ["apply", "-f", "-"], Some(&text))
            .await?
            .ok()?;
        untouched(plane, &admin, words)
            .await
            .with_context(|| what.to_owned())?;
        plane
            .kubectl(User::Admin, ["delete", "--wait", "-f", "-"], Some(&text))
            .await?
            .ok()?;
        wait_for("it to be gone", || async {
            let found = plane
                .kubectl(User::Admin, ["get", "-f", "-"], Some(&text))
                .await?;
            Ok((found.code != Some(0)).then_some(()))
        })
        .await?;
    }

    // an older one is brought to this version, and keeps what was configured, if it can be used
    let older =
        json!({"app.kubernetes.io/part-of": "sluice", "app.kubernetes.io/version": "0.0.9"});
    let configured = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "sluice-config", "namespace": "sluice-system", "labels": ours},
        "data": {"config.yaml": "exceptions: {longest: 1h}\n"},
    });
    let mut unusable = configured.clone();
    unusable["data"]["config.yaml"] = json!("exceptoins: {longest: 1h}\n");
    for object in [namespace(older), unusable] {
        let text = object.to_string();
        plane
            .kubectl(User::Admin, ["apply", "-f", "-"], Some(&text))
            .await?
            .ok()?;
    }
    untouched(plane, &admin, "configmap/sluice-config:1:1: ").await?;
    for object in [configured] {
        let text = object.to_string();
        plane
            .kubectl(User::Admin, ["apply", "-f", "-"], Some(&text))
            .await?
            .ok()?;
    }
    let output = install(&admin).await?;
    ensure!(output.code == Some(0), "{output:?}");
    for words in [
        "upgrading Sluice from 0.0.9 to 0.1.0",
        "configmap/sluice-config kept",
        "namespace/sluice-system configured",
    ] {
        ensure!(output.stdout.contains(words), "no {words:?} in {output:?}");
    }
    let line = "-n sluice-system get configmap sluice-config -o jsonpath={.data}";
    let kept = plane
        .kubectl(User::Admin, line.split(' '), None)
        .await?
        .ok()?;
    ensure!(kept.contains("longest: 1h"), "{kept}");
    let output = install(&admin).await?;
    ensure!(
        output
            .stdout
            .contains("Sluice 0.1.0 is installed: putting right what differs"),
        "{output:?}"
    );
    Ok(())
}

/// A ServiceAccount in `default` with these rights everywhere.
async fn account(plane: &Plane, name: &str, rules: &Value) -> anyhow::Result<()> {
    let group = "rbac.authorization.k8s.io";
    for object in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}]}),
    ] {
        let text = object.to_string();
        plane
            .kubectl(User::Admin, ["apply", "-f", "-"], Some(&text))
            .await?
            .ok()?;
    }
    Ok(())
}

async fn install(kubeconfig: &Path) -> anyhow::Result<Output> {
    let mut command = tokio::process::Command::new(own_programs()?.join("sluice"));
    command
        .args(["install", "--without-workloads"])
        .env("KUBECONFIG", kubeconfig)
        .kill_on_drop(true);
    plane::run(command, None).await
}

/// It exits 1 with these words, and every object is as it was.
async fn untouched(plane: &Plane, kubeconfig: &Path, words: &str) -> anyhow::Result<Output> {
    let before = everything(plane).await?;
    let output = install(kubeconfig).await?;
    ensure!(
        output.code == Some(1)
            && output.stderr.contains(words)
            && output.stderr.contains("nothing was changed"),
        "expected {words:?}: {output:?}"
    );
    ensure!(
        before == everything(plane).await?,
        "something was changed: {output:?}"
    );
    Ok(output)
}

/// The version of every object whose kind an installation writes.
async fn everything(plane: &Plane) -> anyhow::Result<BTreeMap<String, String>> {
    let line = ["get", KINDS, "-A", "-o", "json"];
    let list: Value = serde_json::from_str(&plane.kubectl(User::Admin, line, None).await?.ok()?)?;
    let objects = list["items"].as_array().context("a list")?;
    Ok(objects
        .iter()
        .map(|object| {
            let metadata = &object["metadata"];
            let name = format!(
                "{} {}/{}",
                object["kind"], metadata["namespace"], metadata["name"]
            );
            (name, metadata["resourceVersion"].to_string())
        })
        .collect())
}
