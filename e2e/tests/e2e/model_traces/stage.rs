//! One Deployment on the real controllers: acts are carried out and the rest after each is awaited.
//!
//! At rest means: the generation is observed, every ReplicaSet has the pods it wants and says so, every pod that can be ready is, nothing has changed for a
//! while, and then the controller has synced once more without changing anything: it copies annotations of the Deployment to the ReplicaSet of its
//! template, so a mark set afterwards shows when it has.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use sluice_e2e::{Behaviour, Plane, Selector};
use tokio::task::JoinSet;

use super::trace::{Act, Pods, Set};

const QUIET: Duration = Duration::from_millis(500);
/// The sync that copies a mark ends in a conflict and starts again, so only the second one shows that a sync went to its end.
const MARKS: u32 = 2;
/// The same when no ReplicaSet can carry the mark.
const QUIET_UNMARKED: Duration = Duration::from_millis(2000);
const LONGEST: Duration = Duration::from_secs(90);
const MARK: &str = "trace.sluice.test/mark";

/// The objects of a namespace as they are now.
pub struct Seen {
    deployments: Store<Deployment>,
    sets: Store<ReplicaSet>,
    pods: Store<Pod>,
    _tasks: JoinSet<()>,
}

impl Seen {
    pub async fn of(client: &Client, namespace: &str) -> anyhow::Result<Self> {
        let mut tasks = JoinSet::new();
        let seen = Self {
            deployments: follow(client, namespace, &mut tasks),
            sets: follow(client, namespace, &mut tasks),
            pods: follow(client, namespace, &mut tasks),
            _tasks: tasks,
        };
        seen.deployments.wait_until_ready().await?;
        seen.sets.wait_until_ready().await?;
        seen.pods.wait_until_ready().await?;
        Ok(seen)
    }
}

fn follow<K>(client: &Client, namespace: &str, tasks: &mut JoinSet<()>) -> Store<K>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let events = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer);
    tasks.spawn(events.for_each(|_| std::future::ready(())));
    store
}

pub struct Stage<'a> {
    pub plane: &'a Plane,
    pub client: Client,
    pub namespace: &'a str,
    pub name: &'a str,
    pub seen: &'a Seen,
    /// Pods that were made sick.
    pub sick: BTreeSet<String>,
    /// The generation of the last write.
    pub generation: i64,
    pub marks: u32,
}

impl Stage<'_> {
    /// Carries out one act and waits for the rest after it. Returns the ReplicaSets, oldest first, and the revision at which they were so.
    pub async fn play(&mut self, act: &Act) -> anyhow::Result<(Vec<Set>, u64)> {
        match act {
            Act::Write(spec) => self.write(spec).await?,
            Act::Sicken(pods) => self.sicken(pods).await?,
            Act::Delete(pods) => self.delete(pods).await?,
        }
        self.rest().await
    }

    fn api(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    async fn write(&mut self, spec: &serde_json::Value) -> anyhow::Result<()> {
        let stored = if self.generation == 0 {
            let labels = json!({"app": self.name});
            let mut object = json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": self.name}, "spec": {"selector": {"matchLabels": labels}},
            });
            json_patch::merge(&mut object["spec"], spec);
            object["spec"]["template"]["metadata"] = json!({"labels": labels});
            let object = serde_json::from_value(object)?;
            self.api().create(&PostParams::default(), &object).await?
        } else {
            let patch = Patch::Merge(json!({"spec": spec}));
            self.api()
                .patch(self.name, &PatchParams::default(), &patch)
                .await?
        };
        self.generation = stored
            .metadata
            .generation
            .context("stored, so it has a generation")?;
        Ok(())
    }

    async fn sicken(&mut self, which: &Pods) -> anyhow::Result<()> {
        let chosen = self.healthy(which);
        for name in &chosen {
            let pod = Selector::Pod {
                namespace: self.namespace.to_owned(),
                name: name.clone(),
            };
            let never = Behaviour::parse("never-ready")?;
            self.plane.world().set_behaviour(pod, never);
            self.sick.insert(name.clone());
        }
        self.until("sick pods are not ready", || {
            let ready = self
                .pods()
                .iter()
                .any(|pod| chosen.contains(&pod.name_any()) && is_ready(pod));
            (!ready).then_some(())
        })
        .await
    }

    async fn delete(&mut self, which: &Pods) -> anyhow::Result<()> {
        let chosen = self.healthy(which);
        let api: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        for name in &chosen {
            api.delete(name, &DeleteParams::default()).await?;
        }
        self.until("deleted pods are gone", || {
            let left = self
                .pods()
                .iter()
                .any(|pod| chosen.contains(&pod.name_any()));
            (!left).then_some(())
        })
        .await
    }

    /// The first pods of an image that are neither sick nor terminating.
    fn healthy(&self, which: &Pods) -> Vec<String> {
        let mut names: Vec<String> = self
            .pods()
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter(|pod| image(pod.spec.as_ref()) == Some(&which.image))
            .map(|pod| pod.name_any())
            .filter(|name| !self.sick.contains(name))
            .collect();
        names.sort();
        names.truncate(which.pods);
        names
    }

    async fn rest(&mut self) -> anyhow::Result<(Vec<Set>, u64)> {
        let began = Instant::now();
        // the state, since when it stands, and how many marks were set under it
        let mut stands: Option<(Vec<Set>, Instant, u32)> = None;
        loop {
            if began.elapsed() > LONGEST {
                bail!("no rest after {LONGEST:?}: {:?}", self.sets());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            let (Some(now), true) = (self.consistent(), self.observed()) else {
                stands = None;
                continue;
            };
            let (since, marked) = match &mut stands {
                Some((state, since, marked)) if *state == now => (since, marked),
                _ => {
                    stands = Some((now, Instant::now(), 0));
                    continue;
                }
            };
            let Some(mark) = self.mark() else {
                if since.elapsed() > QUIET_UNMARKED {
                    return Ok((now, self.revision().await?));
                }
                continue;
            };
            let carried = *marked == 0 || mark == self.marks.to_string();
            if !carried || since.elapsed() < QUIET {
                continue;
            }
            if *marked == MARKS {
                return Ok((now, self.revision().await?));
            }
            (*since, *marked) = (Instant::now(), *marked + 1);
            self.marks += 1;
            let mark = json!({"metadata": {"annotations": {MARK: self.marks.to_string()}}});
            self.api()
                .patch(self.name, &PatchParams::default(), &Patch::Merge(mark))
                .await?;
        }
    }

    fn observed(&self) -> bool {
        self.deployment().is_some_and(|object| {
            let observed = object
                .status
                .as_ref()
                .and_then(|status| status.observed_generation);
            object.metadata.generation >= Some(self.generation) && observed >= Some(self.generation)
        })
    }

    /// The ReplicaSets when each has, and reports, the pods it wants.
    fn consistent(&self) -> Option<Vec<Set>> {
        let pods = self.pods();
        for set in self.sets() {
            let own: Vec<_> = pods
                .iter()
                .filter(|pod| {
                    let owners = pod.owner_references();
                    owners
                        .iter()
                        .any(|owner| owner.uid == set.uid().unwrap_or_default())
                })
                .collect();
            let wanted = set.spec.as_ref()?.replicas?;
            let sick = |pod: &Pod| {
                self.sick.contains(&pod.name_any())
                    || image(pod.spec.as_ref()).is_none_or(|image| image.contains("--"))
            };
            let can = own.iter().filter(|pod| !sick(pod)).count();
            let ready = own.iter().filter(|pod| is_ready(pod)).count();
            let status = set.status.as_ref()?;
            let says = (status.replicas, status.ready_replicas.unwrap_or(0));
            let settled = own.len() == usize::try_from(wanted).ok()?
                && ready == can
                && says == (wanted, i32::try_from(can).ok()?)
                && status.observed_generation == set.metadata.generation;
            if !settled {
                return None;
            }
        }
        let sets = self.sets();
        let sum = |count: fn(&ReplicaSetStatus) -> Option<i32>| -> i32 {
            let of = |set: &Arc<ReplicaSet>| set.status.as_ref().and_then(count);
            sets.iter().filter_map(of).sum()
        };
        let deployment = self.deployment()?;
        let status = deployment.status.as_ref()?;
        // the Deployment controller has seen those statuses
        let seen = status.replicas.unwrap_or(0) == sum(|status| Some(status.replicas))
            && status.ready_replicas.unwrap_or(0) == sum(|status| status.ready_replicas)
            && status.available_replicas.unwrap_or(0) == sum(|status| status.available_replicas);
        if !seen || self.has_old_sets_to_go(&deployment) {
            return None;
        }
        sets.iter().map(|set| reduced(set)).collect()
    }

    /// Whether the Deployment controller still has old ReplicaSets to delete: it does so once it has itself written that the rollout is complete.
    fn has_old_sets_to_go(&self, deployment: &Deployment) -> bool {
        let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else {
            return false;
        };
        let wanted = spec.replicas.unwrap_or(1);
        let complete = [
            status.replicas,
            status.updated_replicas,
            status.available_replicas,
        ]
        .iter()
        .all(|count| count.unwrap_or(0) == wanted);
        let kept = usize::try_from(spec.revision_history_limit.unwrap_or(10)).unwrap_or(0);
        let now = image(spec.template.spec.as_ref());
        let idle = |set: &&Arc<ReplicaSet>| {
            template_image(set) != now
                && set.spec.as_ref().and_then(|spec| spec.replicas) == Some(0)
        };
        complete && self.sets().iter().filter(idle).count() > kept
    }

    /// The mark on the ReplicaSet of the template; empty when it has none, None when there is no such ReplicaSet.
    fn mark(&self) -> Option<String> {
        let deployment = self.deployment()?;
        let wanted = image(deployment.spec.as_ref()?.template.spec.as_ref())?;
        let set = self
            .sets()
            .into_iter()
            .find(|set| template_image(set) == Some(wanted))?;
        Some(set.annotations().get(MARK).cloned().unwrap_or_default())
    }

    /// The revision of the cluster now.
    async fn revision(&self) -> anyhow::Result<u64> {
        let sets: Api<ReplicaSet> = Api::namespaced(self.client.clone(), self.namespace);
        let own = ListParams::default().labels(&format!("app={}", self.name));
        let version = sets.list(&own).await?.metadata.resource_version;
        Ok(version.context("a list without resourceVersion")?.parse()?)
    }

    fn deployment(&self) -> Option<Arc<Deployment>> {
        let own = |object: &Deployment| object.name_any() == self.name;
        self.seen.deployments.find(own)
    }

    fn sets(&self) -> Vec<Arc<ReplicaSet>> {
        let mut sets = self.seen.sets.state();
        sets.retain(|set| {
            set.owner_references()
                .iter()
                .any(|owner| owner.name == self.name)
        });
        sets.sort_by_key(|set| (set.metadata.creation_timestamp.clone(), set.name_any()));
        sets
    }

    fn pods(&self) -> Vec<Arc<Pod>> {
        let mut pods = self.seen.pods.state();
        pods.retain(|pod| pod.labels().get("app").is_some_and(|app| app == self.name));
        pods
    }

    async fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
        let began = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return Ok(answer);
            }
            if began.elapsed() > LONGEST {
                bail!("{}: not true after {LONGEST:?}: {what}", self.name);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| {
        all.iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}

fn image(spec: Option<&k8s_openapi::api::core::v1::PodSpec>) -> Option<&String> {
    spec?.containers.first()?.image.as_ref()
}

fn template_image(set: &ReplicaSet) -> Option<&String> {
    image(set.spec.as_ref()?.template.as_ref()?.spec.as_ref())
}

fn reduced(set: &ReplicaSet) -> Option<Set> {
    let spec = set.spec.as_ref()?;
    let number = |key: &str| {
        let key = format!("deployment.kubernetes.io/{key}");
        set.annotations().get(&key)?.parse().ok()
    };
    Some(Set {
        image: template_image(set)?.clone(),
        replicas: u32::try_from(spec.replicas?).ok()?,
        min_ready_seconds: i64::from(spec.min_ready_seconds.unwrap_or(0)),
        desired: number("desired-replicas")?,
        most: number("max-replicas")?,
    })
}
