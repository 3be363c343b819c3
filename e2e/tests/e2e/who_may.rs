//! Who may stop a release, who may make Sluice forget, who may change its objects; and that Sluice itself uses no right it was not given.
//!
//! On a plane of its own: in the second half every program of Sluice is dead, and the rights hold.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{
    Plane, PlaneOptions, User,
    installation::Installation,
    plane::{Output, wait_for},
    scenario::Shop,
};

use crate::rights;

/// May change workloads and patch releases, but has neither verb: an ordinary role of a company that keeps aborting to others.
const DANA: &str = "dana";
/// Is bound to the role `sluice-oncall` and to nothing else.
const OLGA: &str = "olga";

const ABORT: &str = r#"{"spec":{"abort":{"reason":"wrong\u0020build"}}}"#;
const RETRY: &str = r#"{"spec":{"retry":{"reason":"mended"}}}"#;
const FORGET: &str = r#"{"metadata":{"annotations":{"sluice.dev/denied":null}}}"#;

async fn kubectl(plane: &Plane, namespace: &str, who: &str, line: &str) -> anyhow::Result<Output> {
    let head = ["-n", namespace, "--as", who];
    plane
        .kubectl(
            User::Admin,
            head.into_iter().chain(line.split_whitespace()),
            None,
        )
        .await
}

#[tokio::test]
async fn rights_hold_with_sluice_alive_and_dead_and_sluice_uses_only_its_own() -> anyhow::Result<()>
{
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = async {
        let sluice = Installation::install(&plane, None).await?;
        let shop = Shop::new(&plane, "rights", 3).await?;
        bind(&plane, &shop.namespace).await?;
        table(&plane, &shop.namespace).await?;
        alive(&plane, &shop).await?;
        rights::never_forbidden(&plane)?;
        rights::used_within_granted(&plane).await?;
        dead(&plane, &shop, &sluice).await
    }
    .await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn bind(plane: &Plane, namespace: &str) -> anyhow::Result<()> {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": DANA, "namespace": namespace},
        "rules": [
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "create", "update", "patch"]},
            {"apiGroups": ["sluice.dev"], "resources": ["releases"], "verbs": ["get", "list", "patch", "update"]},
        ],
    });
    let bound = |name: &str, kind: &str, role: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
        })
    };
    let all = json!({"apiVersion": "v1", "kind": "List", "items": [role, bound(DANA, "Role", DANA), bound(OLGA, "ClusterRole", "sluice-oncall")]});
    plane
        .kubectl(User::Admin, ["create", "-f", "-"], Some(&all.to_string()))
        .await?
        .ok()
        .map(drop)
}

/// Who may do what by the roles as they are installed.
async fn table(plane: &Plane, namespace: &str) -> anyhow::Result<()> {
    let developer = User::Developer.name();
    let mut wrong = Vec::new();
    for (who, verbs, resources, may) in [
        // the right to change a workload is not the right to change its gate
        (
            developer,
            "get list watch",
            "gates probes rolloutplans policies policyexceptions releases",
            true,
        ),
        (
            developer,
            "create update patch delete",
            "gates probes rolloutplans policies policyexceptions",
            false,
        ),
        (
            developer,
            "create update delete deletecollection",
            "releases",
            false,
        ),
        (
            developer,
            "patch update",
            "gates/status releases/status probes/status policyexceptions/status",
            false,
        ),
        (developer, "abort retry", "releases", true),
        (DANA, "patch", "releases", true),
        (DANA, "abort retry", "releases", false),
        (OLGA, "get list watch patch abort retry", "releases", true),
        (OLGA, "create update delete", "releases", false),
        (
            OLGA,
            "create update patch delete",
            "gates probes rolloutplans policies policyexceptions",
            false,
        ),
        (OLGA, "update patch delete", "deployments.apps pods", false),
    ] {
        for resource in resources.split(' ') {
            let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
            let resource = if resource.contains("apps") || resource == "pods" {
                resource.to_owned()
            } else {
                format!("{resource}.sluice.dev")
            };
            for verb in verbs.split(' ') {
                let line = format!("auth can-i {verb} {resource} --subresource={sub}");
                let output = kubectl(plane, namespace, who, &line).await?;
                if output.succeeded() != may {
                    wrong.push(format!("{who} {verb} {resource} {sub}: {output:?}"));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn refused_for(output: &Output, verb: &str) -> anyhow::Result<()> {
    ensure!(
        !output.succeeded()
            && output
                .stderr
                .contains(&format!("the verb {verb} on releases.sluice.dev")),
        "{output:?}"
    );
    Ok(())
}

async fn alive(plane: &Plane, shop: &Shop<'_>) -> anyhow::Result<()> {
    let namespace = &shop.namespace;
    shop.open("v1", &["1", "100%"], "1h").await?;
    shop.apply(&shop.checkout("v2")).await?;
    let release = name(&shop.release_in("Baking").await?)?;
    let patch = |body: &str| format!("patch releases.sluice.dev {release} --type=merge -p {body}");

    refused_for(
        &kubectl(plane, namespace, DANA, &patch(ABORT)).await?,
        "abort",
    )?;
    refused_for(
        &kubectl(plane, namespace, DANA, &patch(RETRY)).await?,
        "retry",
    )?;
    // of the record nothing else may be changed, and nobody speaks in another's name
    for (body, words) in [
        (
            r#"{"spec":{"originals":{"minReadySeconds":7}}}"#,
            "only spec.abort and spec.retry may be changed",
        ),
        (
            r#"{"spec":{"abort":{"reason":"x","by":"somebody"}}}"#,
            "spec.abort.by must be olga",
        ),
    ] {
        let output = kubectl(plane, namespace, OLGA, &patch(body)).await?;
        ensure!(
            !output.succeeded() && output.stderr.contains(words),
            "{output:?}"
        );
    }
    let batch = shop.release_in("Baking").await?["status"]["batch"]["index"].clone();
    ensure!(batch == 1, "{batch}");
    kubectl(plane, namespace, OLGA, &patch(ABORT)).await?.ok()?;
    shop.release_in("RolledBack").await?;
    shop.runs_everywhere("v1").await?;

    // a version that was proved bad is remembered, and only who may retry lets it in again
    shop.apply(&shop.checkout("v3--errors-100")).await?;
    wait_for("the record of the bad release", || async {
        Ok((shop.releases().await?.len() == 2).then_some(()))
    })
    .await?;
    let bad = name(&shop.release_in("RolledBack").await?)?;
    shop.runs_everywhere("v1").await?;
    let remembered = async || -> anyhow::Result<Value> {
        let live = shop.deployment().await?;
        Ok(live["metadata"]["annotations"]["sluice.dev/denied"].clone())
    };
    let before = remembered().await?;
    let forget = format!("patch deployment checkout --type=merge -p {FORGET}");
    kubectl(plane, namespace, DANA, &forget).await?;
    let after = remembered().await?;
    ensure!(
        before.is_string() && before == after,
        "{before} became {after}"
    );
    let retry = format!("patch releases.sluice.dev {bad} --type=merge -p {RETRY}");
    refused_for(&kubectl(plane, namespace, DANA, &retry).await?, "retry")?;
    kubectl(plane, namespace, OLGA, &retry).await?.ok()?;
    let again = shop.checkout("v3--errors-100");
    wait_for("the forgiven version to be let in", || async {
        let output = shop.apply_as(User::Developer, &again, &[]).await?;
        Ok(output.succeeded().then_some(()))
    })
    .await?;
    wait_for("the record of the repeated release", || async {
        Ok((shop.releases().await?.len() == 3).then_some(()))
    })
    .await?;
    shop.release_in("RolledBack").await.map(drop)
}

/// The same with no program of Sluice running.
async fn dead(plane: &Plane, shop: &Shop<'_>, sluice: &Installation) -> anyhow::Result<()> {
    let namespace = &shop.namespace;
    shop.runs_everywhere("v1").await?;
    shop.apply(&shop.checkout("v4")).await?;
    wait_for("the record of the last release", || async {
        Ok((shop.releases().await?.len() == 4).then_some(()))
    })
    .await?;
    let release = name(&shop.release_in("Baking").await?)?;
    sluice.kill_controller();
    sluice.kill_webhook();
    let patch = |body: &str| format!("patch releases.sluice.dev {release} --type=merge -p {body}");
    refused_for(
        &kubectl(plane, namespace, DANA, &patch(ABORT)).await?,
        "abort",
    )?;
    kubectl(plane, namespace, OLGA, &patch(ABORT)).await?.ok()?;
    let asked = shop
        .object("sluice.dev/v1alpha1", "releases", &release)
        .await?;
    ensure!(
        asked["spec"]["abort"]["reason"] == "wrong build",
        "{}",
        asked["spec"]
    );

    // where the dead webhook refuses nothing, the memory of bad versions is still guarded
    let other = plane
        .namespace_with("rights-audit", &[("sluice.dev/mode", "audit")])
        .await?;
    bind(plane, &other).await?;
    let mut remembers = shop.checkout("v1");
    remembers["metadata"]["namespace"] = json!(other);
    remembers["metadata"]["annotations"] =
        json!({"sluice.dev/denied": r#"[{"uid":"a","target":"b","release":"c","reason":"d"}]"#});
    shop.apply(&remembers).await?;
    let forget = format!("patch deployment checkout --type=merge -p {FORGET}");
    let output = kubectl(plane, &other, DANA, &forget).await?;
    ensure!(
        !output.succeeded() && output.stderr.contains("sluice.dev/denied"),
        "{output:?}"
    );

    // a controller that comes back does what was asked while there was none
    sluice.start_webhook().await?;
    sluice.start_controller()?;
    shop.release_in("RolledBack").await?;
    shop.runs_everywhere("v1").await
}

fn name(release: &Value) -> anyhow::Result<String> {
    release["metadata"]["name"]
        .as_str()
        .map(str::to_owned)
        .context("a name")
}
