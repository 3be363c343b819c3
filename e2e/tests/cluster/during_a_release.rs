//! What happens to the node and to the control plane in the middle of a release, and what must not come of it: a good version still gets everywhere, one
//! that turns bad while nobody can act on it is undone after one pod, and no version ever has more pods than planned.
//!
//! A test run does each once; `make soak` goes on for hours (`SLUICE_SOAK_SECONDS`, `SLUICE_AWAY_SECONDS`).

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures::future::try_join;
use serde_json::{Value, json};
use sluice_e2e::{
    Cluster, Component, User, scenario::Shop, shared::on_own_cluster, verifier::history::Fact,
};

const BATCHES: [&str; 3] = ["1", "50%", "100%"];
/// The good version is in the middle of its release for at least so long.
const BAKE: &str = "2s";
/// Of the bad one, which is to have one pod when it turns bad; over when an API server comes back that was away.
const LONG_BAKE: &str = "15s";

/// What is done.
#[derive(Clone, Copy, Debug)]
enum Hurt {
    /// `kill -9` of everything of this name on the node; what keeps it starts it again.
    Killed(&'static str),
    /// No API server for a while.
    NoApiServer,
}

impl fmt::Display for Hurt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(name) => write!(f, "{name} killed"),
            Self::NoApiServer => f.write_str("API server away"),
        }
    }
}

/// One a round; the long version goes on from the start.
const HURTS: [Hurt; 5] = [
    Hurt::Killed("kubelet"),
    Hurt::Killed("containerd"),
    Hurt::NoApiServer,
    Hurt::Killed("sluice-controller"),
    Hurt::Killed("sluice-webhook"),
];
/// How many of them a test run does; what happens to Sluice's own programs has tests of its own.
const ROUNDS: usize = 3;

fn seconds(variable: &str, otherwise: u64) -> anyhow::Result<Duration> {
    let said = match std::env::var(variable) {
        Ok(text) => text
            .parse::<u64>()
            .with_context(|| format!("{variable} is a number of seconds, not {text}"))?,
        Err(_) => otherwise,
    };
    Ok(Duration::from_secs(said))
}

/// A shop in the middle of a release of v2 over v1.
struct Middle<'a> {
    shop: Shop<'a>,
    /// The release and the spec it must lead back to.
    release: Value,
    before: Value,
    /// Where its first pod of v2 is asked.
    canary: String,
    /// Pods that ever ran v2, by the recording.
    ran: BTreeSet<String>,
}

/// A shop in which v1 runs everywhere.
async fn opened<'a>(cluster: &'a Cluster, prefix: &str, bake: &str) -> anyhow::Result<Shop<'a>> {
    let shop = Shop::new(cluster, prefix, 4).await?;
    shop.open("v1", &BATCHES, bake).await?;
    // a cluster in which nothing moves is no fault of a version
    let mut plan = shop.plan(&BATCHES, bake);
    plan["spec"]["progressDeadline"] = json!("15m");
    shop.apply(&plan).await?;
    Ok(shop)
}

impl<'a> Middle<'a> {
    async fn of(shop: Shop<'a>) -> anyhow::Result<Self> {
        let before = shop.deployment().await?["spec"].clone();
        shop.apply(&shop.checkout("v2")).await?;
        shop.recorded(1).await?;
        let release = shop.release_in("Baking").await?;
        let pods = shop.objects("v1", "pods").await?;
        let mut canaries = pods.iter().filter(|pod| {
            let image = pod["spec"]["containers"][0]["image"].as_str();
            image.is_some_and(|image| image.ends_with(":v2"))
        });
        let canary = canaries
            .find_map(|pod| pod["status"]["podIP"].as_str())
            .context("no pod of v2 with an address")?
            .to_owned();
        Ok(Self {
            shop,
            release,
            before,
            canary,
            ran: BTreeSet::new(),
        })
    }

    /// So far nothing broke the plan; notes who ran v2.
    fn kept_to_the_plan(&mut self) -> anyhow::Result<()> {
        for event in self.shop.history().events()? {
            if let Fact::Pod { name, image, .. } = event.fact
                && image.ends_with(":v2")
            {
                self.ran.insert(name);
            }
        }
        self.shop.kept_to(&BATCHES)
    }

    /// The release ends in `phase`, with `tag` everywhere, and it is still the one that began before.
    async fn ends(&mut self, phase: &str, tag: &str) -> anyhow::Result<Value> {
        let release = self.shop.release_in(phase).await?;
        let same = release["metadata"]["uid"] == self.release["metadata"]["uid"];
        ensure!(same, "another release: {release}");
        self.shop.runs_everywhere(tag).await?;
        self.kept_to_the_plan()?;
        Ok(release)
    }

    async fn ends_well(&mut self) -> anyhow::Result<()> {
        self.ends("Succeeded", "v2").await?;
        Ok(())
    }

    async fn is_undone(&mut self) -> anyhow::Result<()> {
        let release = self.ends("RolledBack", "v1").await?;
        let status = &release["status"];
        ensure!(
            self.ran.len() == 1 && status["exposure"] == 1,
            "{:?} ran it, and Sluice says {}",
            self.ran,
            status["exposure"]
        );
        ensure!(
            status["timeline"]["verified"].is_string(),
            "not verified: {}",
            status["timeline"]
        );
        let after = self.shop.deployment().await?["spec"].clone();
        ensure!(
            after == self.before,
            "before: {}\nafter: {after}",
            self.before
        );
        Ok(())
    }
}

/// Does it, and turns the canary of `bad` bad while it goes on.
async fn hurt(
    cluster: &Cluster,
    what: Hurt,
    good: &mut Middle<'_>,
    bad: &mut Middle<'_>,
) -> anyhow::Result<()> {
    let errors = json!({"errors": 1});
    let name = match what {
        Hurt::Killed(name) => name,
        Hurt::NoApiServer => {
            cluster.stop(Component::ApiServer);
            cluster.tell(&bad.canary, &errors)?;
            // that nothing comes of the mere passing of time cannot be awaited
            tokio::time::sleep(seconds("SLUICE_AWAY_SECONDS", 60)?).await;
            // pods are made and ended at its word only: between the old recording, which does not outlive the API server, and the new one there are none
            cluster.stop(Component::ControllerManager);
            cluster.start_api_server().await?;
            good.shop.record_anew("v1").await?;
            bad.shop.record_anew("v1").await?;
            return cluster.start_what_ended();
        }
    };
    cluster.tell(&bad.canary, &errors)?;
    cluster.restart_daemon(name).await
}

async fn round(cluster: &Cluster, what: Hurt) -> anyhow::Result<()> {
    let (good, bad) = try_join(
        opened(cluster, "good", BAKE),
        opened(cluster, "bad", LONG_BAKE),
    )
    .await?;
    // at once: neither is to be far ahead of the other
    let (mut good, mut bad) = try_join(Middle::of(good), Middle::of(bad)).await?;
    for middle in [&mut good, &mut bad] {
        middle.kept_to_the_plan()?;
    }
    hurt(cluster, what, &mut good, &mut bad).await?;
    try_join(
        async { good.ends_well().await.context("the good version") },
        async { bad.is_undone().await.context("the bad version") },
    )
    .await?;
    for middle in [good, bad] {
        let line = format!("delete namespace {} --wait=false", middle.shop.namespace);
        cluster
            .kubectl(User::Admin, line.split(' '), None)
            .await?
            .ok()?;
    }
    Ok(())
}

#[tokio::test]
async fn releases_end_as_they_must_whatever_is_hurt_meanwhile() -> anyhow::Result<()> {
    on_own_cluster(async |cluster| {
        let began = Instant::now();
        let length = seconds("SLUICE_SOAK_SECONDS", 0)?;
        for (number, what) in HURTS.into_iter().cycle().enumerate() {
            if number >= ROUNDS && began.elapsed() >= length {
                break;
            }
            let what_was_done = format!("round {number}, {what}");
            round(cluster, what)
                .await
                .with_context(|| what_was_done.clone())?;
            println!(
                "{what_was_done}: as it must, {:.0} s since the start",
                began.elapsed().as_secs_f32()
            );
        }
        Ok(())
    })
    .await
}
