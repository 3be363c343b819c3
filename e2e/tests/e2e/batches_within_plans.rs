//! Promise: at no moment do more pods run the new version than the batches allow, nor fewer the old one, nor more in all than N plus the user's surge.
//!
//! Random releases of several Deployments side by side on one control plane, while Sluice's programs are killed and started, workloads are scaled,
//! pods die and newer templates take the place of unfinished releases. Every recorded event is judged by the verifier, which shares no code with the
//! planner; at the end the pods themselves are asked what they run. `SLUICE_RELEASES` sets how many (CI: 100), `SLUICE_SEED` replays the choices of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use sluice_e2e::installation::Installation;
use sluice_e2e::scenario::Shop;
use sluice_e2e::verifier::history::Fact;
use sluice_e2e::verifier::{Expected, Size, census, judge};
use sluice_e2e::{Kill, Plane, PlaneOptions};

use crate::dice::{Dice, seed};

/// Deployments that are released side by side.
const SIDE_BY_SIDE: u32 = 10;
/// How long a release may stand still before it counts as stuck.
const STUCK: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn random_releases_stay_within_their_plans() -> anyhow::Result<()> {
    let releases: u32 = std::env::var("SLUICE_RELEASES")
        .ok()
        .map_or(Ok(30), |text| text.parse())?;
    let seed = seed();
    println!("{releases} random releases, SLUICE_SEED={seed}");
    let mut dice = Dice::new(seed);
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = run(&plane, releases, &mut dice).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome.with_context(|| format!("SLUICE_SEED={seed}"))
}

async fn run(plane: &Plane, releases: u32, dice: &mut Dice) -> anyhow::Result<()> {
    let began = Instant::now();
    let sluice = Installation::install(plane, None).await?;
    let tally = Arc::new(Tally::default());
    let over = AtomicBool::new(false);
    let mut disturber = dice.split();
    let shops = (0..SIDE_BY_SIDE).map(|index| {
        let mine = releases / SIDE_BY_SIDE + u32::from(index < releases % SIDE_BY_SIDE);
        let (dice, tally) = (dice.split(), tally.clone());
        async move {
            let mut run = Run::open(plane, dice, tally).await?;
            for number in 1..=mine {
                run.release(number)
                    .await
                    .with_context(|| format!("release {number} in {}", run.shop.namespace))?;
            }
            run.verify()
                .await
                .with_context(|| format!("in {}", run.shop.namespace))
        }
    });
    let work = async {
        let outcome = try_join_all(shops).await;
        over.store(true, Ordering::Relaxed);
        outcome
    };
    let (done, killed) = tokio::join!(work, disturb(&sluice, &mut disturber, &over, &tally));
    done?;
    killed?;
    println!("{tally} in {:.0} s", began.elapsed().as_secs_f32());
    ensure!(
        tally.of(&tally.succeeded) > 0 && tally.of(&tally.rolled_back) > 0,
        "one-sided: {tally}"
    );
    Ok(())
}

/// What happened, for the record.
#[derive(Debug, Default)]
struct Tally {
    succeeded: AtomicU32,
    rolled_back: AtomicU32,
    superseded: AtomicU32,
    controller_kills: AtomicU32,
    webhook_kills: AtomicU32,
    scalings: AtomicU32,
    pod_deaths: AtomicU32,
    refused_without_webhook: AtomicU32,
}

impl Tally {
    fn add(&self, what: &AtomicU32) {
        what.fetch_add(1, Ordering::Relaxed);
    }

    fn of(&self, what: &AtomicU32) -> u32 {
        what.load(Ordering::Relaxed)
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} succeeded, {} rolled back, {} superseded; {} kills of the controller, {} of the webhook, {} scalings, {} dead pods, \
             {} applies refused while no webhook ran",
            self.of(&self.succeeded),
            self.of(&self.rolled_back),
            self.of(&self.superseded),
            self.of(&self.controller_kills),
            self.of(&self.webhook_kills),
            self.of(&self.scalings),
            self.of(&self.pod_deaths),
            self.of(&self.refused_without_webhook),
        )
    }
}

/// Kills Sluice's programs with -9 and starts them again, until the releases are over.
async fn disturb(
    sluice: &Installation,
    dice: &mut Dice,
    over: &AtomicBool,
    tally: &Tally,
) -> anyhow::Result<()> {
    loop {
        let quiet = Instant::now() + dice.millis(4000, 9000);
        while Instant::now() < quiet {
            if over.load(Ordering::Relaxed) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let dead_for = dice.millis(0, 1000);
        if dice.chance(65) {
            sluice.kill_controller();
            tally.add(&tally.controller_kills);
            tokio::time::sleep(dead_for).await;
            sluice.start_controller()?;
        } else {
            sluice.kill_webhook();
            tally.add(&tally.webhook_kills);
            tokio::time::sleep(dead_for).await;
            sluice.start_webhook().await?;
        }
    }
}

/// One Deployment and its releases, one after the other.
struct Run<'a> {
    plane: &'a Plane,
    shop: Shop<'a>,
    dice: Dice,
    tally: Arc<Tally>,
    batches: Vec<&'static str>,
    surge: Size,
    replicas: u32,
    /// The tag of the version that was proved last.
    stable: String,
    /// The spec as it stood before the first release.
    applied: Value,
    versions: u32,
    /// Images of bad versions with the most pods their first batch may have; none where scaling moved the bound.
    bad: Vec<(String, Option<u32>)>,
}

impl<'a> Run<'a> {
    async fn open(plane: &'a Plane, mut dice: Dice, tally: Arc<Tally>) -> anyhow::Result<Self> {
        let replicas = u32::try_from(dice.between(3, 10))?;
        let batches: &[&'static str] = dice.pick::<&[&'static str]>(&[
            &["1", "50%"],
            &["1", "10%", "50%", "100%"],
            &["2", "100%"],
            &["30%", "60%"],
        ]);
        let (surge, written) = dice
            .pick(&[
                (Size::Percent(25), json!("25%")),
                (Size::Pods(1), json!(1)),
                (Size::Pods(3), json!(3)),
                (Size::Pods(0), json!(0)),
                (Size::Percent(50), json!("50%")),
            ])
            .clone();
        let bake = *dice.pick(&["200ms", "300ms", "400ms"]);
        let shop = Shop::new(plane, "random", replicas).await?;
        let mut manifest = shop.checkout("v0");
        manifest["spec"]["strategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": written, "maxUnavailable": 1}});
        shop.apply(&manifest).await?;
        shop.runs_everywhere("v0").await?;
        // a busy machine is slow to answer now and then; only what stays wrong for two seconds is bad here
        let mut probe = shop.canary_probe();
        for (field, value) in [
            ("interval", json!("500ms")),
            ("timeout", json!("500ms")),
            ("verdict", json!({"failAfter": 4})),
        ] {
            probe["spec"][field] = value;
        }
        shop.apply(&probe).await?;
        shop.apply(&shop.plan(batches, bake)).await?;
        shop.accepted("rolloutplans", "checkout").await?;
        shop.accepted("probes", "canary").await?;
        println!(
            "{}: {replicas} pods, batches {batches:?}, surge {surge:?}, bake {bake}",
            shop.namespace
        );
        let applied = shop.deployment().await?["spec"].clone();
        Ok(Self {
            plane,
            shop,
            dice,
            tally,
            batches: batches.to_vec(),
            surge,
            replicas,
            stable: "v0".to_owned(),
            applied,
            versions: 0,
            bad: Vec::new(),
        })
    }

    /// One release, with whatever meets it on its way, to its end.
    async fn release(&mut self, number: u32) -> anyhow::Result<()> {
        let first = self.apply_new_version().await?;
        let course = self.dice.between(0, 9);
        let wait = self.dice.millis(100, 2000);
        let mut last = first;
        let mut superseded = None;
        match course {
            0 | 1 => {
                tokio::time::sleep(wait).await;
                self.scale(&mut last).await?;
            }
            2..=4 => {
                tokio::time::sleep(wait).await;
                for _ in 0..self.dice.between(1, 2) {
                    self.end_a_pod().await?;
                }
            }
            5 => {
                tokio::time::sleep(wait).await;
                let second = self.apply_new_version().await?;
                superseded = Some(std::mem::replace(&mut last, second));
            }
            _ => {}
        }
        let phase = self.end_of(&last).await?;
        if let Some(first) = superseded {
            self.took_its_place(&first).await?;
        }
        let expected = if last.bad { "RolledBack" } else { "Succeeded" };
        ensure!(
            phase == expected,
            "release {number}, {} of {} ended {phase}: {}",
            last.name,
            last.tag,
            self.status(&last.name).await?
        );
        if last.bad {
            self.tally.add(&self.tally.rolled_back);
            self.bad.push((last.tag.clone(), last.bound));
        } else {
            self.tally.add(&self.tally.succeeded);
            self.stable.clone_from(&last.tag);
        }
        self.shop.runs_everywhere(&self.stable).await?;
        self.is_as_applied().await
    }

    /// How a release ended in whose middle a newer one came.
    async fn took_its_place(&mut self, first: &Applied) -> anyhow::Result<()> {
        let status = self.status(&first.name).await?;
        // with the controller dead nobody recorded it before its hold was replaced
        let phase = status["phase"].as_str().unwrap_or("Superseded");
        let ended = if first.bad { "RolledBack" } else { "Succeeded" };
        ensure!(
            phase == "Superseded" || phase == ended,
            "release {} of {} ended {phase} under a newer one",
            first.name,
            first.tag
        );
        if phase == "Succeeded" {
            self.stable.clone_from(&first.tag);
        }
        self.tally.add(&self.tally.superseded);
        Ok(())
    }

    /// As `kubectl set image` does; tried again while the webhook is dead, because then the apply must be refused.
    async fn apply_new_version(&mut self) -> anyhow::Result<Applied> {
        self.versions += 1;
        let bad = self.dice.chance(30);
        let tag = format!(
            "v{}{}",
            self.versions,
            if bad { "--errors-100" } else { "" }
        );
        let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "checkout", "image": format!("registry.test/shop/checkout:{tag}")}]}}}});
        let api: Api<Deployment> = Api::namespaced(self.shop.client(), &self.shop.namespace);
        let until = Instant::now() + STUCK;
        let deployment = loop {
            match api
                .patch(
                    "checkout",
                    &PatchParams::default(),
                    &Patch::Strategic(&patch),
                )
                .await
            {
                Ok(deployment) => break deployment,
                Err(kube::Error::Api(status))
                    if status.message.contains("failed calling webhook")
                        && Instant::now() < until =>
                {
                    self.tally.add(&self.tally.refused_without_webhook);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) => return Err(error).context(format!("{tag} was not let in")),
            }
        };
        let hold = deployment
            .metadata
            .annotations
            .unwrap_or_default()
            .remove("sluice.dev/hold");
        let hold: Value =
            serde_json::from_str(&hold.with_context(|| format!("{tag} went in without a hold"))?)?;
        let name = hold["release"]
            .as_str()
            .context("a hold without a release")?
            .to_owned();
        let bound = self.first_batch(self.replicas);
        Ok(Applied {
            name,
            tag,
            bad,
            bound: Some(bound),
        })
    }

    fn first_batch(&self, replicas: u32) -> u32 {
        match self.batches[0].strip_suffix('%') {
            Some(percent) => (replicas * percent.parse::<u32>().unwrap_or(100) / 100).max(1),
            None => self.batches[0].parse().unwrap_or(replicas),
        }
    }

    async fn scale(&mut self, release: &mut Applied) -> anyhow::Result<()> {
        let replicas = u32::try_from(self.dice.between(3, 12))?;
        let api: Api<Deployment> = Api::namespaced(self.shop.client(), &self.shop.namespace);
        let patch = json!({"spec": {"replicas": replicas}});
        api.patch_scale("checkout", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .context("kubectl scale was refused")?;
        self.replicas = replicas;
        release.bound = None;
        self.tally.add(&self.tally.scalings);
        Ok(())
    }

    /// A pod of any version is deleted, or fails as after an eviction.
    async fn end_a_pod(&mut self) -> anyhow::Result<()> {
        let api: Api<k8s_openapi::api::core::v1::Pod> =
            Api::namespaced(self.shop.client(), &self.shop.namespace);
        let pods = api.list(&ListParams::default()).await?;
        let names: Vec<String> = pods
            .items
            .into_iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter_map(|pod| pod.metadata.name)
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let name = self.dice.pick(&names).clone();
        let world = self.plane.world();
        if self.dice.chance(50) && world.pod(&self.shop.namespace, &name).is_some() {
            // between the look and the kill it may have gone: dead is dead
            let _ = world.kill_pod(
                &self.shop.namespace,
                &name,
                Kill::Failed {
                    reason: "Evicted".to_owned(),
                },
            );
        } else {
            match api.delete(&name, &DeleteParams::default()).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.tally.add(&self.tally.pod_deaths);
        Ok(())
    }

    /// The phase in which a release ended.
    async fn end_of(&self, release: &Applied) -> anyhow::Result<String> {
        let mut until = Instant::now() + STUCK;
        let mut seen = Value::Null;
        loop {
            let status = self.status(&release.name).await?;
            // slow is not stuck: a busy machine takes its time over a large batch
            let progress = json!([status["phase"], status["pods"], status["batches"]]);
            if progress != seen {
                seen = progress;
                until = Instant::now() + STUCK;
            }
            let phase = status["phase"].as_str().unwrap_or_default();
            if [
                "Succeeded",
                "RolledBack",
                "RollbackIneffective",
                "Superseded",
                "Failed",
            ]
            .contains(&phase)
            {
                return Ok(phase.to_owned());
            }
            if Instant::now() > until {
                bail!(
                    "release {} of {} stands still for {STUCK:?}: {status}",
                    release.name,
                    release.tag
                );
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn status(&self, release: &str) -> anyhow::Result<Value> {
        match self
            .shop
            .object("sluice.dev/v1alpha1", "releases", release)
            .await
        {
            Ok(release) => Ok(release["status"].clone()),
            // not recorded yet: the controller may be dead
            Err(error) if error.to_string().contains("not found") => Ok(Value::Null),
            Err(error) => Err(error),
        }
    }

    /// What stands there is what was applied, but for the version and the number of pods.
    async fn is_as_applied(&self) -> anyhow::Result<()> {
        let mut expected = self.applied.clone();
        expected["replicas"] = json!(self.replicas);
        expected["template"]["spec"]["containers"][0]["image"] =
            json!(format!("registry.test/shop/checkout:{}", self.stable));
        let live = self.shop.deployment().await?;
        ensure!(
            live["spec"] == expected,
            "the spec is {} instead of {expected}",
            live["spec"]
        );
        for key in ["sluice.dev/hold", "sluice.dev/originals"] {
            ensure!(
                live["metadata"]["annotations"][key].is_null(),
                "{key} was left behind"
            );
        }
        Ok(())
    }

    /// The whole history, and the pods' own word.
    async fn verify(&self) -> anyhow::Result<()> {
        let events = self.shop.history().events()?;
        let batches = self
            .batches
            .iter()
            .map(|batch| batch.parse())
            .collect::<Result<Vec<Size>, _>>()?;
        let expected = Expected {
            deployment: "checkout".to_owned(),
            batches,
            surge: self.surge,
            before: None,
        };
        let breaches = judge(&events, &expected);
        ensure!(
            breaches.is_empty(),
            "more than planned: {}",
            breaches
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; ")
        );
        for (tag, bound) in &self.bad {
            let most = events
                .iter()
                .filter_map(|event| match &event.fact {
                    Fact::ReplicaSet {
                        replicas, image, ..
                    } if !event.deleted && image.ends_with(&format!(":{tag}")) => Some(*replicas),
                    _ => None,
                })
                .max()
                .unwrap_or(0);
            if let Some(bound) = bound {
                ensure!(
                    most <= *bound,
                    "{most} pods were asked to run the bad {tag}, its first batch has {bound}"
                );
            }
        }
        let census = census::ask(
            self.plane,
            &self.shop.client(),
            &self.shop.namespace,
            "app=checkout",
        )
        .await?;
        let image = format!("registry.test/shop/checkout:{}", self.stable);
        ensure!(
            census.len() == 1 && census.get(&image) == Some(&self.replicas),
            "{} pods should run {image}, they say {census:?}",
            self.replicas
        );
        Ok(())
    }
}

struct Applied {
    /// Of the Release.
    name: String,
    tag: String,
    bad: bool,
    bound: Option<u32>,
}
