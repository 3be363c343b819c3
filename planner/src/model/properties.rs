//! Random releases under everything that can happen to them. A failing case prints its seed: `SLUICE_SEED=n SLUICE_CASES=1`.
//!
//! Invariants, judged from the model's own objects after every event:
//! - pods wanted of a version under release: at most its batch's bound, or what the built-in controller left by scaling in proportion;
//! - pods wanted and existing in all: at most the replicas and the user's own surge;
//! - while pods are neither killed nor scaled, ready pods: at least the replicas (Surge) while the pin stands;
//! - at rest every release has ended as its version deserves, and the spec is the user's own, byte for byte;
//! - every pass ends with a step or with a named reason, and storing a decision does not change it.

mod judging;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_api::{GateState, RolloutPlanSpec, WhenClosed};

use super::{
    native::Sets,
    random::Random,
    world::{Kind, World},
};

struct Chaos {
    scale: bool,
    kill: bool,
    supersede: bool,
    pause: bool,
    stale: bool,
}

struct Case {
    random: Random,
    world: World,
    chaos: Chaos,
    /// The spec as the user means it, without the template.
    users: Value,
    /// How many pods each version under release may want.
    allowed: BTreeMap<String, u32>,
    /// The replicas that `allowed` was made for.
    allowed_for: u32,
    versions: u32,
    stale: Sets,
    trace: Vec<String>,
}

fn plan(random: &mut Random) -> RolloutPlanSpec {
    let batches = [
        json!([1, "10%", "50%", "100%"]),
        json!(["20%", "40%", "100%"]),
        json!([1, 3]),
        json!(["100%"]),
        json!([2, "30%", "60%"]),
        json!(["33%"]),
    ];
    let mode = ["Surge", "Surge", "Replace"];
    serde_json::from_value(json!({
        "components": {},
        "batches": random.pick(&batches),
        "mode": random.pick(&mode),
        "bake": random.pick(&["0s", "1s"]),
        "progressDeadline": "20s",
        "during": {"probes": [{"name": "checkout"}]},
        "after": {"watch": random.pick(&["0s", "1s"])},
    }))
    .unwrap()
}

fn strategy(random: &mut Random) -> Value {
    let limits = [
        ("25%", "25%"),
        ("1", "0"),
        ("0", "1"),
        ("50%", "0"),
        ("3", "2"),
        ("100%", "25%"),
        ("0", "40%"),
    ];
    let value = |text: &str| {
        text.parse::<u32>()
            .map_or_else(|_| json!(text), |pods| json!(pods))
    };
    let (surge, unavailable) = random.pick(&limits);
    json!({"type": "RollingUpdate",
           "rollingUpdate": {"maxSurge": value(surge), "maxUnavailable": value(unavailable)}})
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let replicas = 1 + random.below(14);
        let mut world = World::new(replicas, strategy(&mut random), plan(&mut random));
        world.flaky = random.chance(50);
        world.stable_is_sick = random.chance(10);
        let mut users = world.deployment["spec"].clone();
        users.as_object_mut().unwrap().remove("template");
        let chaos = Chaos {
            scale: random.chance(40),
            kill: random.chance(40),
            supersede: random.chance(40),
            pause: random.chance(30),
            stale: random.chance(50),
        };
        let stale = world.sets.clone();
        Self {
            random,
            world,
            chaos,
            users,
            allowed: BTreeMap::new(),
            allowed_for: replicas,
            versions: 1,
            stale,
            trace: Vec::new(),
        }
    }

    fn run(&mut self) {
        self.release();
        for _ in 0..300 + self.random.below(300) {
            self.event();
            self.world.now += u64::from(self.random.below(120));
        }
        self.come_to_rest();
        self.judge_the_end();
    }

    fn note(&mut self, text: String) {
        let sizes: Vec<String> = self
            .world
            .sets
            .all
            .iter()
            .map(|set| {
                format!(
                    "{}:{}/{}/{}",
                    &set.version[..4],
                    set.replicas,
                    set.pods.len(),
                    set.ready()
                )
            })
            .collect();
        let spec = &self.world.deployment["spec"];
        self.trace.push(format!(
            "{:>6} {text:<40} N={} paused={} {} {} pinned={}",
            self.world.now,
            spec["replicas"],
            spec["paused"],
            spec["strategy"]["rollingUpdate"],
            sizes.join(" "),
            self.world.view().is_pinned(),
        ));
    }

    fn release(&mut self) {
        self.versions += 1;
        let kind = *self.random.pick(&[
            Kind::Good,
            Kind::Good,
            Kind::NeverReady,
            Kind::ReadyButFailing,
        ]);
        let image = format!("v{}", self.versions);
        let template = self.world.add_version(&image, kind);
        let refused = self
            .world
            .request(|object| object["spec"]["template"] = template);
        self.note(format!(
            "release {image} {kind:?} {:?}",
            refused.as_ref().err().map(|f| &f[0].rule)
        ));
        if refused.is_ok() {
            self.allowed.entry(self.world.live()).or_insert(0);
        } else if let Err(findings) = refused {
            assert_eq!(findings[0].rule, "locked", "{findings:?}");
        }
    }

    fn event(&mut self) {
        match self.random.below(100) {
            0..25 => self.native(),
            25..45 => self.pods(),
            45..60 => self.readiness(),
            60..90 => self.pass(),
            90..92 if self.chaos.kill => self.kill(),
            92..94 if self.chaos.scale => self.scale(),
            94..95 if self.chaos.supersede => self.release(),
            95..97 if self.chaos.pause => self.pause(),
            97..98 => {
                self.world.gate.0 = *self.random.pick(&[GateState::Open, GateState::Closed]);
                self.world.gate.1 = WhenClosed::Warn;
            }
            98..99 if self.chaos.supersede && self.random.chance(30) => self.revert(),
            99..100 if self.chaos.supersede => self.edit_strategy(),
            _ => {}
        }
        if self.random.chance(30) {
            self.stale = self.world.sets.clone();
        }
        self.judge_capacity();
    }

    /// What stands there may be from before the user asked for less.
    fn peak(&self) -> u32 {
        let view = self.world.view();
        let live = view
            .strategy
            .limits(view.replicas)
            .map_or(0, |limits| limits.0);
        view.replicas + self.users_surge().max(live)
    }

    fn native(&mut self) {
        let spec = self.world.spec();
        // from zero every pod comes back as the new version: an exception of the built-in controller
        let from_zero = self.world.sets.replicas() == 0;
        let proportional = spec.paused || from_zero || self.world.sets.is_scaling_event(&spec);
        let before = self.world.sets.clone();
        self.world.sync_native();
        if self.world.sets != before {
            self.note("native".into());
        }
        if proportional {
            self.grant(&before);
        }
        for (version, allowed) in &self.allowed {
            let had = before.of(version).map_or(0, |set| set.replicas);
            let has = self.world.sets.of(version).map_or(0, |set| set.replicas);
            assert!(
                has <= had.max(*allowed),
                "{version}: {has} pods, {allowed} allowed"
            );
        }
        if self.world.view().is_pinned() {
            let most = self.peak();
            let total = self.world.sets.replicas();
            assert!(
                total <= most.max(before.replicas()),
                "{total} pods wanted, {most} allowed"
            );
        }
    }

    /// What the built-in controller makes of a change of the replicas is its own; bounded by the share that was there, and rounding.
    fn grant(&mut self, before: &Sets) {
        let replicas = self.world.view().replicas;
        let limits = self.world.view().strategy.limits(replicas);
        let live = self.world.live();
        for (version, allowed) in &mut self.allowed {
            let has = self.world.sets.of(version).map_or(0, |set| set.replicas);
            let had = before.of(version).map_or(0, |set| set.replicas);
            let old = self.world.sets.replicas() - has;
            if self.allowed_for == 0 || before.replicas() == 0 {
                *allowed = replicas;
                continue;
            }
            let share = u64::from((*allowed).max(had)) * u64::from(replicas);
            let share = u32::try_from(share.div_ceil(u64::from(self.allowed_for))).unwrap();
            let surge = limits.map_or(0, |limits| limits.0);
            // in the middle of a step the controller fills up whichever version is larger
            let settled = before.replicas() >= self.allowed_for;
            assert!(
                !settled || has <= share.max(*allowed) + 2 + surge,
                "{version}: {has} pods by scaling, a share of {share} was there"
            );
            // where it comes to rest with the limits that stand there
            let rest = limits
                .filter(|_| {
                    *version == live
                        && self.world.deployment["spec"]["minReadySeconds"] != Value::Null
                })
                .map_or(0, |(surge, unavailable)| {
                    replicas.min(unavailable.max(replicas.saturating_sub(old)) + surge)
                });
            *allowed = has.max(rest).max(if replicas == self.allowed_for {
                *allowed
            } else {
                0
            });
        }
        self.allowed_for = replicas;
    }

    fn pods(&mut self) {
        let existing = |world: &World| -> u32 {
            u32::try_from(
                world
                    .sets
                    .all
                    .iter()
                    .map(|set| set.pods.len())
                    .sum::<usize>(),
            )
            .unwrap()
        };
        let before = existing(&self.world);
        self.world.sync_pods();
        if self.world.view().is_pinned() {
            let after = existing(&self.world);
            let most = self.peak();
            let most = most.max(self.world.sets.replicas());
            assert!(after <= most.max(before), "{after} pods, {most} allowed");
        }
    }

    fn readiness(&mut self) {
        self.world.ready_all();
    }

    fn pass(&mut self) {
        let dies = self.random.chance(15);
        let sets = if self.chaos.stale && self.random.chance(50) {
            self.stale.clone()
        } else {
            self.world.sets.clone()
        };
        let before = self.world.writes.len();
        self.world.pass(&sets, dies);
        let Some(write) = self.world.writes.get(before).copied() else {
            return;
        };
        self.note(format!("{write:?}"));
        self.judge_write(write);
    }

    fn kill(&mut self) {
        let alive: Vec<usize> = (0..self.world.sets.all.len())
            .filter(|n| !self.world.sets.all[*n].pods.is_empty())
            .collect();
        if alive.is_empty() {
            return;
        }
        let set = *self.random.pick(&alive);
        let pods = &mut self.world.sets.all[set].pods;
        let victim = self.random.below(u32::try_from(pods.len()).unwrap()) as usize;
        if self.random.chance(50) {
            pods.remove(victim);
        } else {
            pods[victim].ready = None;
        }
    }

    fn scale(&mut self) {
        let replicas = if self.random.chance(5) {
            0
        } else {
            1 + self.random.below(20)
        };
        self.world
            .request(|object| object["spec"]["replicas"] = json!(replicas))
            .unwrap();
        self.users["replicas"] = json!(replicas);
        self.note(format!("scale to {replicas}"));
    }

    fn pause(&mut self) {
        let paused = !self.world.view().paused;
        self.world
            .request(|object| object["spec"]["paused"] = json!(paused))
            .unwrap();
        self.note(format!("paused {paused}"));
    }

    fn revert(&mut self) {
        let Some(stable) = self
            .world
            .releases
            .last()
            .and_then(|release| release.spec.stable.clone())
        else {
            return;
        };
        self.world
            .request(|object| object["spec"]["template"] = stable.template)
            .unwrap();
        self.allowed.remove(&self.world.live());
        self.note("revert".into());
    }

    fn edit_strategy(&mut self) {
        let wanted = strategy(&mut self.random);
        self.world
            .request(|object| object["spec"]["strategy"] = wanted.clone())
            .unwrap();
        // a value that happens to be the live one goes unnoticed, so read back what was understood
        let annotations = &self.world.deployment["metadata"]["annotations"];
        self.users["strategy"] = match annotations["sluice.dev/originals"].as_str() {
            Some(text) => serde_json::from_str::<Value>(text).unwrap()["strategy"].clone(),
            None => self.world.deployment["spec"]["strategy"].clone(),
        };
        self.note("strategy".into());
    }

    /// Chaos ends: gates open, pauses are lifted, a workload scaled to zero is scaled up.
    fn come_to_rest(&mut self) {
        self.world.gate.0 = GateState::Open;
        if self.world.view().replicas == 0 {
            self.world
                .request(|object| object["spec"]["replicas"] = json!(3))
                .unwrap();
            self.users["replicas"] = json!(3);
        }
        for _ in 0..2 {
            self.world.settle();
            let paused = self.world.releases.last().is_some_and(|release| {
                release.status.as_ref().is_some_and(|status| {
                    status.waiting_on.iter().any(|waiting| {
                        waiting.reason == sluice_api::reason::WaitReason::PausedByUser
                    })
                })
            });
            if paused || self.world.view().paused {
                self.world
                    .request(|object| object["spec"]["paused"] = json!(false))
                    .unwrap();
            }
        }
        self.world.settle();
        self.note("at rest".into());
    }
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn every_release_keeps_its_bounds_and_ends_as_it_deserves() {
    let first = from_env("SLUICE_SEED", 1);
    let cases = from_env("SLUICE_CASES", 200);
    println!("seeds {first} to {}", first + cases - 1);
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    for seed in first..first + cases {
        let mut case = Case::new(seed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case.run()));
        if let Err(panic) = outcome {
            let start = case.trace.len().saturating_sub(60);
            println!("{}", case.trace[start..].join("\n"));
            println!("plan {}", serde_json::to_string(&case.world.plan).unwrap());
            println!("SLUICE_SEED={seed} SLUICE_CASES=1");
            std::panic::resume_unwind(panic);
        }
        for release in &case.world.releases {
            *ends
                .entry(super::world::phase(release).to_string())
                .or_default() += 1;
        }
    }
    println!("releases by end: {ends:?}");
}
