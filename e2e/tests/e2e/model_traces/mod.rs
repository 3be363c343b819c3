//! The planner's property tests trust a model of the Deployment and ReplicaSet controllers; here it gets its evidence.
//!
//! Scripted stories are played on the real controllers, each on a Deployment of its own, and what those settle in is compared with the traces that the
//! model is held against (`planner/traces`). With `SLUICE_RECORD_TRACES` set the traces are written instead. `SLUICE_STORIES` names the only ones to play.

mod stage;
mod stories;
mod trace;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use sluice_e2e::plane::wait_for;
use sluice_e2e::verifier::History;
use sluice_e2e::verifier::history::{Event, Fact};
use sluice_e2e::{Plane, User, in_namespace};

use stage::{Seen, Stage};
use stories::Story;
use trace::{Extremes, Set, Step, Trace};

#[tokio::test]
async fn the_real_controllers_settle_as_the_traces_of_the_model_say() -> anyhow::Result<()> {
    let stories = chosen();
    in_namespace("traces", async |plane, namespace| {
        let traces = play_all(plane, namespace, &stories).await?;
        if std::env::var_os("SLUICE_RECORD_TRACES").is_some() {
            return traces.iter().try_for_each(trace::keep);
        }
        let mut differ = Vec::new();
        for now in &traces {
            let then = trace::committed(&now.story)?;
            differ.extend(differences(&then, now));
        }
        let steps: usize = traces.iter().map(|trace| trace.steps.len()).sum();
        println!("{} stories, {steps} steps", traces.len());
        ensure!(differ.is_empty(), "{}", differ.join("\n"));
        Ok(())
    })
    .await
}

#[test]
fn every_trace_belongs_to_a_story() -> anyhow::Result<()> {
    let mut kept = BTreeSet::new();
    for entry in std::fs::read_dir(trace::folder())? {
        kept.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    let told = stories::all();
    let told: BTreeSet<_> = told
        .iter()
        .map(|story| format!("{}.json", story.name))
        .collect();
    ensure!(kept == told, "kept {kept:?}, told {told:?}");
    Ok(())
}

fn chosen() -> Vec<Story> {
    let only = std::env::var("SLUICE_STORIES").unwrap_or_default();
    let only: Vec<&str> = only.split(',').filter(|name| !name.is_empty()).collect();
    let mut stories = stories::all();
    stories.retain(|story| only.is_empty() || only.contains(&story.name.as_str()));
    stories
}

/// Settled states are compared, and what was done; how far things swung in between is not the same in every run.
fn differences(then: &Trace, now: &Trace) -> Vec<String> {
    let mut differ = Vec::new();
    if then.steps.len() != now.steps.len() {
        differ.push(format!(
            "{}: another number of steps was recorded",
            now.story
        ));
    }
    for (number, (then, step)) in then.steps.iter().zip(&now.steps).enumerate() {
        let place = format!("{} step {} ({})", now.story, number + 1, step.tells);
        if then.act != step.act {
            differ.push(format!(
                "{place}: another story was recorded: {:?}",
                then.act
            ));
        }
        if then.settled != step.settled {
            let (then, now) = (&then.settled, &step.settled);
            differ.push(format!("{place}: recorded {then:?}, now {now:?}"));
        }
    }
    differ
}

async fn play_all(plane: &Plane, namespace: &str, stories: &[Story]) -> anyhow::Result<Vec<Trace>> {
    let client = plane.client(User::Admin).await?;
    let history = History::record(&client, namespace).await?;
    let seen = Seen::of(&client, namespace).await?;
    let version = client.apiserver_version().await?.git_version;
    let played = stories.iter().map(|story| {
        let stage = Stage {
            plane,
            client: client.clone(),
            namespace,
            name: &story.name,
            seen: &seen,
            sick: BTreeSet::new(),
            generation: 0,
            marks: 0,
        };
        play(story, stage)
    });
    let played = try_join_all(played).await?;
    wait_for("a history that leads to every settled state", || async {
        let events = history.events()?;
        let traces = stories.iter().zip(&played).map(|(story, settled)| {
            Some(Trace {
                story: story.name.clone(),
                kubernetes: version.clone(),
                steps: steps(story, settled, &events)?,
            })
        });
        Ok(traces.collect())
    })
    .await
}

async fn play(story: &Story, mut stage: Stage<'_>) -> anyhow::Result<Vec<(Vec<Set>, u64)>> {
    let mut settled = Vec::new();
    for (tells, act) in &story.steps {
        let state = stage.play(act).await;
        settled.push(state.with_context(|| format!("{}: {tells}", story.name))?);
    }
    Ok(settled)
}

/// What the history says about each step; None when it does not lead to the settled states (yet).
fn steps(story: &Story, settled: &[(Vec<Set>, u64)], events: &[Event]) -> Option<Vec<Step>> {
    let mut sizes = BTreeMap::new();
    let mut own = events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::ReplicaSet {
                owner,
                replicas,
                image,
                ..
            } if *owner == story.name => {
                let size = if event.deleted { 0 } else { *replicas };
                Some((event.revision, image, size))
            }
            _ => None,
        })
        .peekable();
    let steps = story.steps.iter().zip(settled);
    let steps = steps.map(|((tells, act), (settled, until))| {
        let mut extremes = Extremes::from(&sizes);
        while let Some((_, image, size)) = own.next_if(|(revision, ..)| revision <= until) {
            sizes.insert(image.clone(), size);
            extremes.widen(&sizes);
        }
        let wanted = |image: &String| {
            let set = settled.iter().find(|set| set.image == *image);
            set.map_or(0, |set| set.replicas)
        };
        let leads_there = settled.iter().all(|set| sizes.contains_key(&set.image))
            && sizes.iter().all(|(image, size)| *size == wanted(image));
        leads_there.then(|| Step {
            tells: tells.clone(),
            act: act.clone(),
            settled: settled.clone(),
            extremes,
        })
    });
    steps.collect()
}

impl Extremes {
    fn from(sizes: &BTreeMap<String, u32>) -> Self {
        let total = sizes.values().sum();
        Self {
            images: sizes
                .iter()
                .map(|(image, size)| (image.clone(), [*size; 2]))
                .collect(),
            total: [total; 2],
        }
    }

    fn widen(&mut self, sizes: &BTreeMap<String, u32>) {
        let wider = |[least, most]: [u32; 2], size: u32| [least.min(size), most.max(size)];
        for (image, size) in sizes {
            // an image that was not there had no pods
            let known = self.images.entry(image.clone()).or_insert([0; 2]);
            *known = wider(*known, *size);
        }
        self.total = wider(self.total, sizes.values().sum());
    }
}
