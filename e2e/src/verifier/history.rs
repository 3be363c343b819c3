//! Every event of the Deployments, ReplicaSets and Pods of one namespace, none missed, none merged.
//!
//! A raw watch from the list's resourceVersion, resumed at the last event seen. An expired watch is an error of the recording: a history with a hole proves nothing.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::TryStreamExt;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Pod,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, WatchEvent, WatchParams},
};
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

/// What an event is about, reduced to what is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The Deployment wants this many pods of this image.
    Deployment {
        name: String,
        replicas: u32,
        image: String,
    },
    /// The ReplicaSet wants this many pods of this image, and has so many ready.
    ReplicaSet {
        name: String,
        owner: String,
        replicas: u32,
        ready: u32,
        image: String,
    },
    /// The pod runs this image.
    Pod {
        name: String,
        replica_set: String,
        image: String,
        terminating: bool,
        ready: bool,
        over: bool,
    },
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The revision at which etcd committed it; one order over all kinds.
    pub revision: u64,
    /// When it reached us, since the recording began.
    pub at: Duration,
    /// Whether the object is gone.
    pub deleted: bool,
    /// The object.
    pub fact: Fact,
}

/// A recording. Ends on drop.
#[derive(Debug)]
pub struct History {
    began: Instant,
    events: Arc<Mutex<Vec<Event>>>,
    broken: Arc<Mutex<Option<String>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl History {
    /// Starts to record; what exists already comes first.
    ///
    /// # Errors
    /// When the namespace cannot be listed.
    pub async fn record(client: &Client, namespace: &str) -> anyhow::Result<Self> {
        let mut history = Self {
            began: Instant::now(),
            events: Arc::default(),
            broken: Arc::default(),
            tasks: Vec::new(),
        };
        history
            .follow(
                Api::<Deployment>::namespaced(client.clone(), namespace),
                deployment,
            )
            .await?;
        history
            .follow(
                Api::<ReplicaSet>::namespaced(client.clone(), namespace),
                replica_set,
            )
            .await?;
        history
            .follow(Api::<Pod>::namespaced(client.clone(), namespace), pod)
            .await?;
        Ok(history)
    }

    /// The events so far, in commit order.
    ///
    /// # Errors
    /// When a watch broke in a way that may have lost an event.
    pub fn events(&self) -> anyhow::Result<Vec<Event>> {
        if let Some(why) = self
            .broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
        {
            anyhow::bail!("the history has a hole: {why}");
        }
        let mut events = self
            .events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        events.sort_by_key(|event| event.revision);
        Ok(events)
    }

    async fn follow<K>(&mut self, api: Api<K>, reduce: fn(&K) -> Option<Fact>) -> anyhow::Result<()>
    where
        K: kube::Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let list = api
            .list(&ListParams::default())
            .await
            .context("cannot list for the history")?;
        let mut version = list
            .metadata
            .resource_version
            .clone()
            .context("a list without resourceVersion")?;
        let (events, began) = (self.events.clone(), self.began);
        for object in &list.items {
            note(&events, began, object, false, reduce);
        }
        let broken = self.broken.clone();
        self.tasks.push(tokio::spawn(async move {
            loop {
                // the API server cut off, or the time of one watch over: go on from the last event
                let Ok(stream) = api
                    .watch(&WatchParams::default().timeout(280), &version)
                    .await
                else {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                };
                let mut stream = std::pin::pin!(stream);
                while let Ok(Some(event)) = stream.try_next().await {
                    match event {
                        WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                            version = object.resource_version().unwrap_or(version);
                            note(&events, began, &object, false, reduce);
                        }
                        WatchEvent::Deleted(object) => {
                            version = object.resource_version().unwrap_or(version);
                            note(&events, began, &object, true, reduce);
                        }
                        WatchEvent::Bookmark(bookmark) => {
                            version = bookmark.metadata.resource_version
                        }
                        WatchEvent::Error(status) => {
                            *broken.lock().unwrap_or_else(PoisonError::into_inner) =
                                Some(status.message);
                            return;
                        }
                    }
                }
            }
        }));
        Ok(())
    }
}

impl Drop for History {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn note<K: kube::Resource>(
    events: &Mutex<Vec<Event>>,
    began: Instant,
    object: &K,
    deleted: bool,
    reduce: fn(&K) -> Option<Fact>,
) {
    let revision = object
        .meta()
        .resource_version
        .as_deref()
        .and_then(|version| version.parse().ok());
    if let (Some(revision), Some(fact)) = (revision, reduce(object)) {
        events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Event {
                revision,
                at: began.elapsed(),
                deleted,
                fact,
            });
    }
}

fn count(value: Option<i32>) -> u32 {
    value
        .and_then(|value| u32::try_from(value).ok())
        .unwrap_or(0)
}

fn deployment(object: &Deployment) -> Option<Fact> {
    let spec = object.spec.as_ref()?;
    let image = spec
        .template
        .spec
        .as_ref()?
        .containers
        .first()?
        .image
        .clone()?;
    Some(Fact::Deployment {
        name: object.name_any(),
        replicas: count(spec.replicas),
        image,
    })
}

fn replica_set(object: &ReplicaSet) -> Option<Fact> {
    let spec = object.spec.as_ref()?;
    let image = spec
        .template
        .as_ref()?
        .spec
        .as_ref()?
        .containers
        .first()?
        .image
        .clone()?;
    let owner = object
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true))?
        .name
        .clone();
    let ready = object
        .status
        .as_ref()
        .and_then(|status| status.ready_replicas);
    Some(Fact::ReplicaSet {
        name: object.name_any(),
        owner,
        replicas: count(spec.replicas),
        ready: count(ready),
        image,
    })
}

fn pod(object: &Pod) -> Option<Fact> {
    let image = object.spec.as_ref()?.containers.first()?.image.clone()?;
    let replica_set = object
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true))?
        .name
        .clone();
    let status = object.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    let ready = status
        .and_then(|status| status.conditions.as_ref())
        .is_some_and(|conditions| {
            conditions
                .iter()
                .any(|c| c.type_ == "Ready" && c.status == "True")
        });
    Some(Fact::Pod {
        name: object.name_any(),
        replica_set,
        image,
        terminating: object.metadata.deletion_timestamp.is_some(),
        ready,
        over: matches!(phase, Some("Failed" | "Succeeded")),
    })
}
