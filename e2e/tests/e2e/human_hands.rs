//! What people do with kubectl in the middle of a release, and that nothing of Sluice is left in the workload afterwards.
//!
//! Every test ends by comparing the workload with one on which the same hands did the same in a namespace without Sluice: its spec to the byte, its labels
//! and annotations, and who owns which field.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use sluice_e2e::{
    Installed, User, installed_plane,
    plane::{Output, wait_for},
    scenario::Shop,
};

use crate::{answers, rights};

const BATCHES: [&str; 2] = ["1", "100%"];

/// A release of `checkout` from v1 to v2 that bakes its first batch until told to go on, and its twin without Sluice.
struct Hands {
    shop: Shop<'static>,
    installed: &'static Installed,
    /// The namespace of the twin.
    twin: String,
}

/// Runs a test in the middle of a release; an error keeps the plane's evidence.
async fn mid_release<T>(prefix: &str, test: T) -> anyhow::Result<()>
where
    T: AsyncFnOnce(&Hands) -> anyhow::Result<()>,
{
    let installed = installed_plane().await?;
    let outcome = async {
        let hands = Hands::start(installed, prefix).await?;
        hands.release("v2").await?;
        test(&hands)
            .await
            .with_context(|| format!("in namespace {}", hands.shop.namespace))?;
        rights::never_forbidden(&installed.plane)
    }
    .await;
    if outcome.is_err() {
        installed.plane.keep();
    }
    outcome
}

impl Hands {
    async fn start(installed: &'static Installed, prefix: &str) -> anyhow::Result<Self> {
        let shop = Shop::new(&installed.plane, prefix, 4).await?;
        let twin = installed
            .plane
            .namespace_with(&format!("{prefix}-twin"), &[("sluice.dev/mode", "off")])
            .await?;
        shop.open("v1", &BATCHES, "1h").await?;
        let hands = Self {
            shop,
            installed,
            twin,
        };
        hands.twin_apply("v1").await?;
        Ok(hands)
    }

    /// Applies a version on both sides and waits until its first batch bakes.
    async fn release(&self, tag: &str) -> anyhow::Result<()> {
        self.shop.apply(&self.shop.checkout(tag)).await?;
        self.twin_apply(tag).await?;
        self.shop.release_in("Baking").await.map(drop)
    }

    /// The twin gets the same manifest by the same command.
    async fn twin_apply(&self, tag: &str) -> anyhow::Result<()> {
        let manifest = self.twin_manifest(&self.shop.checkout(tag));
        self.feed(&self.twin, User::Admin, "apply -f -", &manifest)
            .await?
            .ok()
            .map(drop)
    }

    fn twin_manifest(&self, manifest: &Value) -> String {
        manifest
            .to_string()
            .replace(&self.shop.namespace, &self.twin)
    }

    async fn feed(
        &self,
        namespace: &str,
        user: User,
        line: &str,
        manifest: &str,
    ) -> anyhow::Result<Output> {
        let arguments = ["-n", namespace].into_iter().chain(line.split_whitespace());
        self.installed
            .plane
            .kubectl(user, arguments, Some(manifest))
            .await
    }

    /// kubectl in the shop, as the developer.
    async fn hand(&self, line: &str) -> anyhow::Result<Output> {
        self.feed(&self.shop.namespace, User::Developer, line, "")
            .await
    }

    /// The same line on both sides; both must take it.
    async fn both(&self, line: &str) -> anyhow::Result<()> {
        for namespace in [&self.shop.namespace, &self.twin] {
            self.feed(namespace, User::Developer, line, "")
                .await?
                .ok()
                .with_context(|| format!("{line} in {namespace}"))?;
        }
        Ok(())
    }

    /// Waits until so many releases are recorded.
    async fn records(&self, count: usize) -> anyhow::Result<()> {
        wait_for("the record of the next release", || async {
            let releases = self.shop.releases().await?;
            Ok((releases.len() >= count).then_some(()))
        })
        .await
    }

    /// Lets the release leave its bake.
    async fn go_on(&self) -> anyhow::Result<()> {
        let patch =
            r#"patch rolloutplans.sluice.dev checkout --type=merge -p {"spec":{"bake":"100ms"}}"#;
        let namespace = &self.shop.namespace;
        self.feed(namespace, User::Admin, patch, "")
            .await?
            .ok()
            .map(drop)
    }

    /// Lets the release go on and waits until it has succeeded.
    async fn finish(&self, tag: &str) -> anyhow::Result<()> {
        self.go_on().await?;
        self.shop.release_in("Succeeded").await?;
        self.shop.runs_everywhere(tag).await
    }

    async fn live(&self, namespace: &str) -> anyhow::Result<Value> {
        let line = "get deployment checkout -o json --show-managed-fields";
        let text = self.feed(namespace, User::Admin, line, "").await?.ok()?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The spec as the API server prints it.
    async fn spec(&self, namespace: &str) -> anyhow::Result<String> {
        let line = "get deployment checkout -o jsonpath={.spec}";
        self.feed(namespace, User::Admin, line, "").await?.ok()
    }

    /// The spec is what the same hands make of it without Sluice, to the byte.
    async fn spec_as_without_sluice(&self) -> anyhow::Result<()> {
        let ours = self.spec(&self.shop.namespace).await?;
        let theirs = self.spec(&self.twin).await?;
        ensure!(
            ours == theirs,
            "the spec is\n{ours}\nwithout Sluice it is\n{theirs}"
        );
        Ok(())
    }

    /// The annotations of Sluice on the workload, and whether it owns a field of it.
    async fn traces(&self) -> anyhow::Result<Vec<String>> {
        let live = self.live(&self.shop.namespace).await?;
        let annotations = live["metadata"]["annotations"].as_object();
        let owners = live["metadata"]["managedFields"].as_array();
        Ok(annotations
            .into_iter()
            .flat_map(|map| map.keys().cloned())
            .chain(
                owners
                    .into_iter()
                    .flatten()
                    .filter_map(|owner| owner["manager"].as_str().map(str::to_owned)),
            )
            .filter(|name| name.contains("sluice"))
            .collect())
    }

    /// Nothing but the user's work is left: spec, labels, annotations, owners of fields; and the release never left its plan.
    async fn nothing_left(&self) -> anyhow::Result<()> {
        self.spec_as_without_sluice().await?;
        let (ours, theirs) = (
            metadata(
                &self.live(&self.shop.namespace).await?,
                &self.shop.namespace,
            ),
            metadata(&self.live(&self.twin).await?, &self.twin),
        );
        ensure!(
            ours == theirs,
            "it has\n{ours:#}\nwithout Sluice\n{theirs:#}"
        );
        self.within_plan()
    }

    fn within_plan(&self) -> anyhow::Result<()> {
        self.shop.kept_to(&BATCHES)
    }
}

/// Labels, annotations and the owners of fields, without what the native controllers note.
fn metadata(object: &Value, namespace: &str) -> Value {
    let metadata = &object["metadata"];
    let mut annotations = metadata["annotations"].clone();
    if let Some(map) = annotations.as_object_mut() {
        map.remove("deployment.kubernetes.io/revision");
    }
    let mut owners: Vec<String> = metadata["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["manager"] != "kube-controller-manager")
        .map(|entry| {
            format!(
                "{} {}: {}",
                entry["manager"], entry["operation"], entry["fieldsV1"]
            )
        })
        .collect();
    owners.sort();
    let text = json!({"labels": metadata["labels"], "annotations": annotations, "owners": owners})
        .to_string()
        .replace(namespace, "NAMESPACE");
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

#[tokio::test]
async fn the_same_manifest_again_changes_nothing() -> anyhow::Result<()> {
    mid_release("again", async |hands| {
        let before = hands.live(&hands.shop.namespace).await?;
        let output = hands
            .shop
            .apply_as(User::Admin, &hands.shop.checkout("v2"), &[])
            .await?;
        ensure!(
            output.stdout.trim() == "deployment.apps/checkout unchanged",
            "{output:?}"
        );
        let after = hands.live(&hands.shop.namespace).await?;
        ensure!(
            before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"],
            "the apply wrote something"
        );
        hands.finish("v2").await?;
        hands.nothing_left().await?;
        ensure!(hands.shop.releases().await?.len() == 1, "a second release");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn set_image_in_the_middle_supersedes() -> anyhow::Result<()> {
    mid_release("image", async |hands| {
        hands
            .both("set image deployment/checkout checkout=registry.test/shop/checkout:v3")
            .await?;
        hands.records(2).await?;
        hands.finish("v3").await?;
        let phases: Vec<Value> = hands
            .shop
            .releases()
            .await?
            .iter()
            .map(|release| release["status"]["phase"].clone())
            .collect();
        ensure!(phases == ["Superseded", "Succeeded"], "{phases:?}");
        hands.nothing_left().await
    })
    .await
}

#[tokio::test]
async fn rollout_restart_in_the_middle_supersedes() -> anyhow::Result<()> {
    mid_release("restart", async |hands| {
        hands
            .hand("rollout restart deployment/checkout")
            .await?
            .ok()?;
        hands.records(2).await?;
        hands.finish("v2").await?;
        let releases = hands.shop.releases().await?;
        ensure!(releases.len() == 2, "{} releases", releases.len());
        ensure!(
            releases[0]["status"]["phase"] == "Superseded",
            "{}",
            releases[0]["status"]
        );
        // the twin is restarted by the same hand, at the time that hand wrote
        let at =
            hands.shop.deployment().await?["spec"]["template"]["metadata"]["annotations"].clone();
        ensure!(at["kubectl.kubernetes.io/restartedAt"].is_string(), "{at}");
        let spec = hands.spec(&hands.shop.namespace).await?;
        let twin = hands.spec(&hands.twin).await?;
        let with = twin.replacen(
            r#""template":{"metadata":{"#,
            &format!(r#""template":{{"metadata":{{"annotations":{at},"#),
            1,
        );
        ensure!(
            spec == with,
            "the spec is\n{spec}\nwithout Sluice it is\n{with}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn rollout_undo_in_the_middle_is_an_abort_and_later_is_refused() -> anyhow::Result<()> {
    mid_release("undo", async |hands| {
        hands.both("rollout undo deployment/checkout").await?;
        hands.shop.release_in("RolledBack").await?;
        hands.shop.runs_everywhere("v1").await?;
        hands.nothing_left().await?;
        // nothing was proved bad: the previous revision may come again, as a release like any other
        hands.both("rollout undo deployment/checkout").await?;
        hands.records(2).await?;
        hands.shop.release_in("Baking").await?;
        hands.finish("v2").await?;
        hands.nothing_left().await?;

        // what was proved bad is not brought back by an undo either
        hands
            .hand(
                "set image deployment/checkout checkout=registry.test/shop/checkout:v3--errors-100",
            )
            .await?
            .ok()?;
        hands.records(3).await?;
        hands.shop.release_in("RolledBack").await?;
        hands.shop.runs_everywhere("v2").await?;
        let output = hands.hand("rollout undo deployment/checkout").await?;
        let refusal = answers::refused(&output)?;
        ensure!(refusal.contains("SLU0002 template-denied"), "{refusal}");
        hands.spec_as_without_sluice().await?;
        let traces = hands.traces().await?;
        ensure!(traces == ["sluice.dev/denied"], "{traces:?}");
        hands.within_plan()
    })
    .await
}

#[tokio::test]
async fn pause_holds_the_release_and_resume_lets_it_go_on() -> anyhow::Result<()> {
    mid_release("pause", async |hands| {
        hands.both("rollout pause deployment/checkout").await?;
        hands.shop.release_in("Paused").await?;
        hands.go_on().await?;
        // it stays there although its bake is over: the counts do not move while the record is looked at ten times
        for _ in 0..10 {
            let release = hands.shop.release_in("Paused").await?;
            let batch = release["status"]["batch"]["index"].as_u64();
            ensure!(batch == Some(1), "{}", release["status"]["batch"]);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        hands.both("rollout resume deployment/checkout").await?;
        hands.finish("v2").await?;
        hands.nothing_left().await
    })
    .await
}

#[tokio::test]
async fn scaling_works_in_the_middle() -> anyhow::Result<()> {
    mid_release("scale", async |hands| {
        for replicas in [7, 3] {
            hands
                .both(&format!("scale deployment/checkout --replicas={replicas}"))
                .await?;
            let wanted = Some(replicas);
            wait_for("the pods to follow the scale", || async {
                let live = hands.shop.deployment().await?;
                let status = &live["status"];
                Ok((status["replicas"].as_u64() >= wanted
                    && status["readyReplicas"].as_u64() >= wanted
                    && status["replicas"].as_u64() <= wanted.map(|n| n + 2))
                .then_some(()))
            })
            .await?;
        }
        hands.finish("v2").await?;
        hands.nothing_left().await
    })
    .await
}

#[tokio::test]
async fn edits_of_stepped_fields_come_back_at_the_end() -> anyhow::Result<()> {
    mid_release("edit", async |hands| {
        let patch = r#"patch deployment checkout --type=merge -p {"spec":{"minReadySeconds":1,"progressDeadlineSeconds":321,"strategy":{"rollingUpdate":{"maxSurge":2,"maxUnavailable":"50%"}}}}"#;
        hands.both(patch).await?;
        let pinned = hands.shop.deployment().await?;
        ensure!(
            pinned["spec"]["minReadySeconds"] == 2_147_483_646,
            "the release lost its pin: {}",
            pinned["spec"]
        );
        hands.finish("v2").await?;
        hands.spec_as_without_sluice().await?;
        let traces = hands.traces().await?;
        ensure!(traces.is_empty(), "{traces:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn replace_in_the_middle_keeps_the_release() -> anyhow::Result<()> {
    mid_release("replace", async |hands| {
        // a manifest knows nothing of Sluice's annotations and of the pin
        let mut manifest = hands.shop.checkout("v2");
        manifest["metadata"]["labels"]["tier"] = json!("web");
        for (namespace, text) in [
            (&hands.shop.namespace, manifest.to_string()),
            (&hands.twin, hands.twin_manifest(&manifest)),
        ] {
            wait_for("a replace that no status write comes between", || async {
                let output = hands
                    .feed(namespace, User::Developer, "replace -f -", &text)
                    .await?;
                if output.stderr.contains("(Conflict)") {
                    return Ok(None);
                }
                output.ok().map(Some)
            })
            .await?;
        }
        let live = hands.shop.deployment().await?;
        ensure!(
            live["metadata"]["annotations"]["sluice.dev/hold"].is_string()
                && live["spec"]["minReadySeconds"] == 2_147_483_646,
            "the release lost its hold: {live}"
        );
        hands.finish("v2").await?;
        // who replaces sends every field and owns what differed from the release's values; Sluice owns nothing
        hands.spec_as_without_sluice().await?;
        let traces = hands.traces().await?;
        ensure!(traces.is_empty(), "{traces:?}");
        hands.within_plan()?;
        ensure!(hands.shop.releases().await?.len() == 1, "a second release");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_git_revert_in_the_middle_is_an_abort_at_once() -> anyhow::Result<()> {
    mid_release("revert", async |hands| {
        let revert = hands.shop.checkout("v1");
        let answer = hands
            .shop
            .apply_as(User::Admin, &revert, &["-o", "json"])
            .await?
            .ok()?;
        hands.twin_apply("v1").await?;
        // in the same request: what it stored is the user's again, before any controller could act
        let stored: Value = serde_json::from_str(&answer)?;
        let theirs = hands.live(&hands.twin).await?;
        ensure!(
            stored["spec"] == theirs["spec"],
            "the request stored\n{}\nwithout Sluice it is\n{}",
            stored["spec"],
            theirs["spec"]
        );
        hands.shop.release_in("RolledBack").await?;
        hands.shop.runs_everywhere("v1").await?;
        hands.nothing_left().await
    })
    .await
}

#[tokio::test]
async fn server_side_apply_owns_what_it_owned_and_meets_no_lasting_conflict() -> anyhow::Result<()>
{
    let installed = installed_plane().await?;
    let outcome = async {
        let shop = Shop::new(&installed.plane, "gitops", 4).await?;
        let twin = installed
            .plane
            .namespace_with("gitops-twin", &[("sluice.dev/mode", "off")])
            .await?;
        let hands = Hands {
            shop,
            installed,
            twin,
        };
        gitops(&hands).await
    }
    .await;
    if outcome.is_err() {
        installed.plane.keep();
    }
    outcome
}

async fn gitops(hands: &Hands) -> anyhow::Result<()> {
    const APPLY: &str = "apply --server-side --field-manager=gitops -f -";
    // between a stepping write and the one that gives the fields back, an apply meets a conflict: milliseconds, but kubectl alone takes a second or two on
    // a busy machine, so that several steps may be met in a row
    const CONFLICT: Duration = Duration::from_secs(10);
    let shop = &hands.shop;
    // git says how to roll out: these are the fields that Sluice steps
    let manifest = |tag: &str| {
        let mut manifest = shop.checkout(tag);
        manifest["spec"]["strategy"] =
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
        manifest["spec"]["minReadySeconds"] = json!(1);
        manifest
    };
    let apply = async |tag: &str| -> anyhow::Result<()> {
        let ours = manifest(tag).to_string();
        let theirs = hands.twin_manifest(&manifest(tag));
        for (namespace, text) in [(&shop.namespace, &ours), (&hands.twin, &theirs)] {
            let began = Instant::now();
            loop {
                let output = hands.feed(namespace, User::GitOps, APPLY, text).await?;
                if output.succeeded() {
                    break;
                }
                let passes = output
                    .stderr
                    .contains("conflicts with \"sluice-controller\"");
                if !passes || began.elapsed() > CONFLICT {
                    bail!("{tag} in {namespace}: {output:?}");
                }
            }
        }
        Ok(())
    };
    apply("v1").await?;
    shop.runs_everywhere("v1").await?;
    shop.apply(&shop.canary_probe()).await?;
    shop.apply(&shop.plan(&BATCHES, "1h")).await?;
    shop.accepted("rolloutplans", "checkout").await?;
    apply("v2").await?;
    shop.release_in("Baking").await?;
    let owners = |object: &Value| metadata(object, &shop.namespace)["owners"].clone();
    let during = hands.live(&shop.namespace).await?;
    let without = hands.live(&hands.twin).await?;
    ensure!(
        owners(&during) == metadata(&without, &hands.twin)["owners"],
        "Sluice took ownership: {:#}",
        owners(&during)
    );
    // GitOps applies again and again: no conflict, and nothing of the release is lost
    for _ in 0..3 {
        apply("v2").await?;
        let live = hands.live(&shop.namespace).await?;
        ensure!(live["spec"] == during["spec"], "{}", live["spec"]);
    }
    hands.go_on().await?;
    for _ in 0..5 {
        apply("v2").await?;
    }
    shop.release_in("Succeeded").await?;
    shop.runs_everywhere("v2").await?;
    apply("v2").await?;
    hands.nothing_left().await?;
    ensure!(shop.releases().await?.len() == 1, "a second release");
    Ok(())
}
