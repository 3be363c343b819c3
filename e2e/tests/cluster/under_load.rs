//! What happens to Sluice's own pods, and to what they stand on, while the API server asks them: nothing that is applied is lost, nothing goes unchecked,
//! and a release in the middle goes on.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::{Pin, pin},
    time::Duration,
};

use anyhow::{Context, ensure};
use futures::TryStreamExt;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{
    Api, Client,
    api::{WatchEvent, WatchParams},
};
use serde_json::{Value, json};
use sluice_e2e::{
    Cluster, User, cluster,
    cluster::load::{Load, Outcome, Pace},
    plane::wait_for,
    scenario::Shop,
    shared::{Further, on_own_cluster, on_own_cluster_with},
};

/// What is asked for.
const PACE: Pace = Pace {
    dry_runs: 200,
    writes: 5,
};
/// What must be reached over the whole of an act, by the load alone on a machine of two cores that runs the cluster too: `make test` runs nothing beside it.
const AT_LEAST: Pace = Pace {
    dry_runs: 100,
    writes: 1,
};
const BATCHES: [&str; 3] = ["1", "50%", "100%"];
/// No act takes so long: the release is in the middle until it is over.
const DURING: &str = "1h";
const AFTERWARDS: &str = "1s";
/// How long a killed webhook may be asked until its endpoint is gone.
const MOST: Duration = Duration::from_secs(3);
/// Until the node's rules follow its endpoint, and what was under way to it has come back.
const FOLLOWS: Duration = Duration::from_secs(1);

pub type Act<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// A shop that is probed by pod and by the name of its Service, and a namespace for the load.
pub struct Scene<'a> {
    cluster: &'a Cluster,
    pub shop: Shop<'a>,
    load: String,
}

impl<'a> Scene<'a> {
    pub async fn open(cluster: &'a Cluster) -> anyhow::Result<Self> {
        let load = cluster
            .namespace_with("load", &[("sluice.dev/mode", "enforce")])
            .await?;
        let shop = Shop::new(cluster, "middle", 4).await?;
        let scene = Self {
            cluster,
            shop,
            load,
        };
        let shop = &scene.shop;
        shop.apply(&scene.version("v1")).await?;
        let expose = "expose deployment checkout --port=80 --target-port=8080";
        shop.kubectl(User::Developer, expose).await?.ok()?;
        shop.runs_everywhere("v1").await?;
        shop.apply(&shop.canary_probe()).await?;
        let url = format!("http://checkout.{}.svc/", shop.namespace);
        shop.apply(&json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Probe",
            "metadata": {"name": "front", "namespace": shop.namespace},
            "spec": {"http": {"target": {"url": url}}, "interval": "500ms", "timeout": "400ms"},
        }))
        .await?;
        shop.apply(&scene.plan(AFTERWARDS)).await?;
        shop.accepted("rolloutplans", "checkout").await?;
        scene.front_says("Pass").await?;
        Ok(scene)
    }

    /// Told to end, it serves on until nobody is sent to it any more.
    fn version(&self, tag: &str) -> Value {
        let mut checkout = self.shop.checkout(tag);
        checkout["spec"]["template"]["spec"]["containers"][0]["env"] =
            json!([{"name": "BEHAVIOUR", "value": r#"{"stopMillis": 3000}"#}]);
        checkout
    }

    fn plan(&self, bake: &str) -> Value {
        let mut plan = self.shop.plan(&BATCHES, bake);
        plan["spec"]["during"]["probes"] = json!([{"name": "canary"}, {"name": "front"}]);
        plan
    }

    async fn front_says(&self, verdict: &str) -> anyhow::Result<()> {
        self.shop
            .wait(&format!("front is {verdict}"), || async {
                let probe = self
                    .shop
                    .object("sluice.dev/v1alpha1", "probes", "front")
                    .await?;
                let status = &probe["status"];
                let said = status["verdict"] == verdict;
                Ok(said.then_some(()).ok_or_else(|| status.to_string()))
            })
            .await
    }

    /// It is the youngest, and its first pod is watched.
    async fn is_in_the_middle(&self, uid: &Value) -> anyhow::Result<()> {
        let releases = self.shop.releases().await?;
        let release = releases.last().context("no release")?;
        ensure!(
            release["metadata"]["uid"] == *uid
                && release["status"]["phase"] == "Baking"
                && release["status"]["exposure"] == 1,
            "not in the middle: {release}"
        );
        Ok(())
    }

    /// Does `act` under load in the middle of a release, which must end well.
    pub async fn during_a_release(&self, name: &str, act: Act<'_>) -> anyhow::Result<Outcome> {
        let tag = &format!("v2--{name}");
        let image = |tag: &str| format!("registry.test/shop/checkout:{tag}");
        self.cluster.tag_image(&image("v2"), &image(tag))?;
        let shop = &self.shop;
        let count = shop.releases().await?.len();
        let client = self.cluster.client(User::Admin).await?;
        let load = Load::start(&client, &self.load, PACE).await?;
        shop.apply(&self.plan(DURING)).await?;
        shop.apply(&self.version(tag)).await?;
        shop.recorded(count + 1).await?;
        let release = shop.release_in("Baking").await?;
        let uid = &release["metadata"]["uid"];
        self.is_in_the_middle(uid).await.context("before")?;
        act.await?;
        self.is_in_the_middle(uid).await.context("after")?;
        shop.apply(&self.plan(AFTERWARDS)).await?;
        let release = shop.release_in("Succeeded").await?;
        ensure!(release["metadata"]["uid"] == *uid, "another: {release}");
        shop.runs_everywhere(tag).await?;
        let outcome = load.stop().await;
        println!("{name}: {}", outcome.text());
        outcome.is_right()?;
        outcome.kept_pace(AT_LEAST)?;
        shop.kept_to(&BATCHES)?;
        Ok(outcome)
    }
}

async fn sluice(cluster: &Cluster, line: &str) -> anyhow::Result<String> {
    let line = ["-n", "sluice-system"].into_iter().chain(line.split(' '));
    cluster.kubectl(User::Admin, line, None).await?.ok()
}

/// Waits until a program of Sluice has two pods, both ready and none on its way out.
async fn are_two(cluster: &Cluster, program: &str) -> anyhow::Result<()> {
    let line = format!("rollout status deployment/sluice-{program} --timeout=120s");
    sluice(cluster, &line).await?;
    let line = format!("get pods -l app.kubernetes.io/name=sluice-{program} -o name");
    // the old pods serve on for a while after the new ones are available
    wait_for("only the two are left", || async {
        let pods = sluice(cluster, &line).await?;
        Ok((pods.lines().count() == 2).then_some(()))
    })
    .await
}

/// What the pods of Sluice run, by digest.
async fn digests(cluster: &Cluster) -> anyhow::Result<BTreeSet<String>> {
    let line = "get pods -o jsonpath={.items[*].status.containerStatuses[0].imageID}";
    let said = sluice(cluster, line).await?;
    Ok(said.split(' ').map(str::to_owned).collect())
}

/// The manifests of another version: the same objects with other images.
async fn upgraded(cluster: &Cluster) -> anyhow::Result<()> {
    let before = digests(cluster).await?;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/install.yaml");
    let mut manifests = std::fs::read_to_string(path)?;
    for program in ["webhook", "controller"] {
        let image = |tag: &str| format!("image: sluice.dev/{program}:{tag}\n");
        let ours = image(env!("CARGO_PKG_VERSION"));
        ensure!(manifests.contains(&ours), "no {ours}");
        manifests = manifests.replace(&ours, &image("next"));
    }
    let line = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    cluster
        .kubectl(User::Admin, line, Some(&manifests))
        .await?
        .ok()?;
    are_two(cluster, "webhook").await?;
    are_two(cluster, "controller").await?;
    let after = digests(cluster).await?;
    ensure!(
        before.len() == 2 && after.len() == 2 && before.is_disjoint(&after),
        "the same bytes: {before:?}, {after:?}"
    );
    Ok(())
}

async fn webhook_stopped(cluster: &Cluster) -> anyhow::Result<()> {
    let pods = sluice(
        cluster,
        "get pods -l app.kubernetes.io/name=sluice-webhook -o name",
    )
    .await?;
    let pod = pods.lines().next().context("no webhook pod")?;
    sluice(cluster, &format!("delete {pod}")).await?;
    are_two(cluster, "webhook").await
}

async fn leader(cluster: &Cluster) -> anyhow::Result<String> {
    let line = "get lease sluice-controller -o jsonpath={.spec.holderIdentity}";
    let holder = sluice(cluster, line).await?;
    // the pod's name, and what tells its processes apart
    Ok(holder.split('_').next().unwrap_or_default().to_owned())
}

async fn leader_moved(cluster: &Cluster) -> anyhow::Result<()> {
    let before = leader(cluster).await?;
    sluice(cluster, &format!("delete pod {before}")).await?;
    wait_for("another leads", || async {
        let now = leader(cluster).await?;
        Ok((!now.is_empty() && now != before).then_some(()))
    })
    .await?;
    are_two(cluster, "controller").await
}

/// Until the probe that goes by a name has felt it: it can tell nothing, which is no failure.
async fn dns_killed(cluster: &Cluster, scene: &Scene<'_>) -> anyhow::Result<()> {
    let system = async |line: &str| {
        let line = ["-n", "kube-system"].into_iter().chain(line.split(' '));
        cluster.kubectl(User::Admin, line, None).await?.ok()
    };
    system("scale deployment/coredns --replicas=0").await?;
    system("delete pod -l k8s-app=kube-dns --grace-period=0 --force --wait=false").await?;
    scene.front_says("Unknown").await?;
    system("scale deployment/coredns --replicas=1").await?;
    system("rollout status deployment/coredns --timeout=60s").await?;
    scene.front_says("Pass").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_to_sluice_loses_nothing_and_lets_nothing_through() -> anyhow::Result<()> {
    let further = Further {
        images: cluster::images("next")?,
        ..Further::default()
    };
    // of its own: others count the pods that are replaced here
    on_own_cluster_with(further, async |cluster| {
        let scene = &Scene::open(cluster).await?;
        let acts: [(&str, Act<'_>); 4] = [
            ("stopped", Box::pin(webhook_stopped(cluster))),
            ("moved", Box::pin(leader_moved(cluster))),
            ("no-dns", Box::pin(dns_killed(cluster, scene))),
            ("upgraded", Box::pin(upgraded(cluster))),
        ];
        for (name, act) in acts {
            scene.during_a_release(name, act).await.context(name)?;
        }
        Ok(())
    })
    .await
}

/// Waits until a pod's endpoint is gone, or said not to be ready.
async fn endpoint_gone(
    client: &Client,
    pod: &str,
    kill: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), "sluice-system");
    let ours = WatchParams::default().labels("kubernetes.io/service-name=sluice-webhook");
    let mut changes = pin!(slices.watch(&ours, "0").await?);
    kill()?;
    let gone = async {
        while let Some(change) = changes.try_next().await? {
            let (WatchEvent::Added(slice) | WatchEvent::Modified(slice)) = change else {
                continue;
            };
            let ready = slice.endpoints.into_iter().any(|endpoint| {
                let conditions = endpoint.conditions.unwrap_or_default();
                endpoint
                    .target_ref
                    .is_some_and(|target| target.name.as_deref() == Some(pod))
                    && conditions.ready != Some(false)
            });
            if !ready {
                return anyhow::Ok(());
            }
        }
        anyhow::bail!("the watch ended")
    };
    tokio::time::timeout(MOST * 5, gone)
        .await
        .context("its endpoint stays")?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_webhook_refuses_for_a_moment_and_lets_nothing_through() -> anyhow::Result<()> {
    on_own_cluster(async |cluster| {
        let namespace = cluster
            .namespace_with("load", &[("sluice.dev/mode", "enforce")])
            .await?;
        let client = cluster.client(User::Admin).await?;
        let line = "get pods -l app.kubernetes.io/name=sluice-webhook -o jsonpath={range.items[*]}{.metadata.name}={.metadata.uid},{end}";
        let pods = sluice(cluster, line).await?;
        let first = pods.split(',').next().and_then(|pod| pod.split_once('='));
        let (name, uid) = first.context("no webhook pod")?;
        let load = Load::start(&client, &namespace, PACE).await?;
        // it is asked before, during and after
        wait_for("both are asked", || async { Ok((load.answered() > 100).then_some(())) }).await?;
        let killed = load.clock();
        endpoint_gone(&client, name, || cluster.kill_program(uid, "sluice-webhook")).await?;
        let gone = load.clock();
        let before = load.answered();
        are_two(cluster, "webhook").await?;
        wait_for("it is asked on", || async { Ok((load.answered() > before + 300).then_some(())) }).await?;
        let outcome = load.stop().await;
        println!("killed: its endpoint was gone after {:.2} s; {}", (gone - killed).as_secs_f64(), outcome.text());
        outcome.is_checked()?;
        outcome.kept_pace(AT_LEAST)?;
        for failure in &outcome.failures {
            ensure!(failure.text.contains("failed calling webhook"), "another reason: {failure:?}");
            ensure!(failure.at >= killed, "before it was killed: {failure:?}");
            ensure!(
                failure.at <= gone + FOLLOWS && failure.at <= killed + MOST,
                "killed at {killed:?}, its endpoint gone at {gone:?}, and still refused: {failure:?}; {}",
                outcome.text()
            );
        }
        Ok(())
    })
    .await
}
